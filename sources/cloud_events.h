// CloudEvents 1.0.2 as they come over HTTP: in all three modes of the HTTP protocol binding (binary, structured, batched), in the JSON
// format. Pure.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/payload.h"
#include "core/result.h"

namespace hark {

class HttpHeaders;

struct CloudEvent {
  std::string id;      // unique with its source
  std::string source;
  std::string type;
  std::string subject;
  nlohmann::json others;  // all other attributes, by name: time, datacontenttype, dataschema, extensions
  Payload data;           // bytes that are neither JSON nor text as base64: `others` has "data_base64" then
};

bool is_cloud_event(const HttpHeaders& headers);
bool is_cloud_event_batch(const HttpHeaders& headers);

// The events of a request that is_cloud_event(). An Error says what is missing or wrong, and of which one of a batch.
Result<std::vector<CloudEvent>> read_cloud_events(const HttpHeaders& headers, std::string body);

}  // namespace hark
