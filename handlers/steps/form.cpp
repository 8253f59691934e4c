#include "handlers/steps/form.h"

#include "core/hex.h"
#include "core/percent.h"
#include "platform/digest.h"

namespace hark {
namespace {

// HTML, "multipart/form-data encoding algorithm": what would end the quoted name, or the line, is escaped.
std::string header_text(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    switch (c) {
      case '"': out += "%22"; break;
      case '\r': out += "%0D"; break;
      case '\n': out += "%0A"; break;
      default: out += c;
    }
  }
  return out + '"';
}

// RFC 2046, 5.1.1: it may not stand in what it separates. A text cannot hold its own digest.
std::string boundary_of(const std::vector<FormPart>& parts) {
  Sha256 digest;
  for (const auto& part : parts) {
    for (const auto* text : {&part.name, &part.file_name, &part.type, &part.value}) {
      digest.add(std::to_string(text->size()) + ":");
      digest.add(*text);
    }
  }
  return "hark-" + to_hex(digest.finish()).substr(0, 40);
}

}  // namespace

std::string url_encoded_form(const std::vector<FormPart>& parts) {
  std::string body;
  for (const auto& part : parts) {
    if (!body.empty()) body += '&';
    body += percent_encoded(part.name) + '=' + percent_encoded(part.value);
  }
  return body;
}

// RFC 7578.
MultipartForm multipart_form(const std::vector<FormPart>& parts) {
  const auto boundary = boundary_of(parts);
  std::string body;
  for (const auto& part : parts) {
    body += "--" + boundary + "\r\nContent-Disposition: form-data; name=" + header_text(part.name);
    if (!part.file_name.empty()) body += "; filename=" + header_text(part.file_name) + "\r\nContent-Type: " + part.type;
    body += "\r\n\r\n" + part.value + "\r\n";
  }
  return {body + "--" + boundary + "--\r\n", "multipart/form-data; boundary=" + boundary};
}

}  // namespace hark
