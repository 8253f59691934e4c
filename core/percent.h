// RFC 3986, 2.1: bytes as "%XX". Pure.
#pragma once

#include <string>
#include <string_view>

namespace hark {

void append_escaped(std::string& text, char c);  // in upper case
std::string percent_encoded(std::string_view text);  // all but unreserved characters (RFC 3986, 2.3)
std::string percent_decoded(std::string_view text);  // what is no escape stays as it is

}  // namespace hark
