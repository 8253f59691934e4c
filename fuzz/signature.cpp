// Headers and a body that nobody signed: line by line "Name: value", then an empty line and the body. None is ever believed.
#include "sources/webhook_signature.h"

#include "fuzz/fuzz.h"
#include "fuzz/headers.h"
#include "sources/webhook_provider.h"

using namespace hark;

void fuzz(std::string_view input) {
  HttpHeaders headers;
  take_headers(input, headers);
  const WallTime now{std::chrono::seconds{1'790'000'000}};
  for (const auto& provider : webhook_providers()) {
    const SignatureCheck check(provider.scheme, {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "0pen sesame, s0mething nobody guesses"});
    const auto doubt = check.doubt(headers, input, now);
    HOLDS(doubt.has_value());
    HOLDS(!doubt->empty());
    HOLDS(doubt->find("sesame") == std::string::npos);
    (void)check_secret(provider.scheme, input);
  }
}
