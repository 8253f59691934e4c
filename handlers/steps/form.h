// The body of a form, of fields whose values are in: application/x-www-form-urlencoded, or where one is a file multipart/form-data. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hark {

struct FormPart {
  std::string name;
  std::string value;      // of a file: its content
  std::string file_name;  // empty: no file
  std::string type;       // of a file: its media type
};

std::string url_encoded_form(const std::vector<FormPart>& parts);

struct MultipartForm {
  std::string body;
  std::string content_type;  // with the boundary, which is the same for the same parts
};
MultipartForm multipart_form(const std::vector<FormPart>& parts);

}  // namespace hark
