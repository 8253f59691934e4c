#include "platform/file_digest.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "platform/descriptor.h"

namespace hark {

std::optional<std::string> file_digest(const std::string& path, std::uint64_t& budget) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat status;
  if (!file || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return std::nullopt;
  std::array<char, 64 * 1024> buffer;
  for (;;) {  // it may grow meanwhile
    const auto size = ::read(file.get(), buffer.data(), buffer.size());
    if (size < 0 || static_cast<std::uint64_t>(size) > budget) return std::nullopt;
    if (size == 0) break;
    budget -= static_cast<std::uint64_t>(size);
    if (EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(size)) != 1) return std::nullopt;
  }
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned length = 0;
  if (EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()), &length) != 1) return std::nullopt;
  digest.resize(length);
  return digest;
}

}  // namespace hark
