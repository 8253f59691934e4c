#include "handlers/steps/http.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/limits.h"
#include "core/percent.h"
#include "core/printable.h"
#include "handlers/names.h"
#include "handlers/steps/folder_files.h"
#include "handlers/steps/form.h"
#include "handlers/steps/json_document.h"
#include "handlers/steps/redirect.h"
#include "platform/clock.h"
#include "platform/http.h"

namespace hark {
namespace {

using Json = nlohmann::json;

// RFC 3986, 5.2.4: a server or a proxy takes such a segment for a step to another folder, encoded or not.
bool has_dot_segment(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  if (const auto scheme = url.find("://"); scheme != url.npos) url.remove_prefix(scheme + 3);
  for (auto slash = url.find('/'); slash != url.npos;) {
    const auto next = url.find('/', slash + 1);
    const std::string_view segment = url.substr(slash + 1, next == url.npos ? url.npos : next - slash - 1);
    if (segment == "." || segment == "..") return true;
    slash = next;
  }
  return false;
}

Result<std::string> render_url(const Template& url, Scope& scope) {
  if (url.constant() || is_one_template(url)) return url.render([&](std::string_view name) { return scope.value(name); });
  std::map<std::string, Json, std::less<>> encoded;
  std::string text = url.render([&](std::string_view name) -> const Json* {
    const Json* value = scope.value(name);
    if (value == nullptr || split_name(name).first == "env" || scope.is_placeholder(name, value)) return value;
    return &encoded.insert_or_assign(std::string(name), percent_encoded(template_text(value))).first->second;
  });
  if (has_dot_segment(text))
    return Error{"a value would lead out of the url's path (a segment '.' or '..')", "put it into the query"};
  return text;
}

Status add_headers(const HttpStepOptions& options, Scope& scope, HttpCall& call) {
  for (const auto& [name, text] : options.headers) {
    std::string value = text.render([&](std::string_view wanted) { return scope.value(wanted); });
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != value.npos) {
      return Error{"the header " + name + " would hold a line break or a NUL", "put the value into the body"};
    }
    if (equal_ignoring_case(name, "Content-Type"))
      call.content_type = std::move(value);
    else
      call.headers.add(name, std::move(value));
  }
  return {};
}

void add_unless_there(HttpHeaders& headers, std::string_view name, const std::string& value) {
  const auto& entries = headers.entries();
  const bool there = std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return equal_ignoring_case(entry.first, name); });
  // What came with an event is not trusted to be one line.
  if (!there && value.find_first_of(std::string_view("\r\n\0", 3)) == value.npos) headers.add(std::string(name), value);
}

bool is_expected(const HttpStepOptions& options, int status) {
  if (options.expect.empty()) return status >= 200 && status <= 299;
  return std::find(options.expect.begin(), options.expect.end(), status) != options.expect.end();
}

std::string expectation(const HttpStepOptions& options) {
  if (options.expect.empty()) return "200 to 299";
  std::string out;
  for (const int status : options.expect) out += (out.empty() ? "" : " or ") + std::to_string(status);
  return out;
}

std::string shown_call(const HttpCall& call) {
  std::string text = call.method + " " + call.url;
  if (!call.content_type.empty()) text += "\nContent-Type: " + call.content_type;
  for (const auto& [name, value] : call.headers.entries()) text += "\n" + name + ": " + value;
  if (!call.body.empty()) text += "\n\n" + call.body;
  return text;
}

bool sends_files(const HttpStepOptions& options) {
  return std::any_of(options.form.begin(), options.form.end(), [](const FormField& field) { return field.file.has_value(); });
}

// The value of one that is a file is its path.
std::vector<FormPart> render_form(const HttpStepOptions& options, Scope& scope) {
  const auto render = [&](const Template& text) { return text.render([&](std::string_view name) { return scope.value(name); }); };
  std::vector<FormPart> parts;
  for (const auto& field : options.form) {
    FormPart part{field.name, render(field.value), {}, {}};
    if (field.file) {
      part.type = field.file->type;
      part.file_name = field.file->file_name ? render(*field.file->file_name) : part.value.substr(part.value.rfind('/') + 1);
      if (part.file_name.empty()) part.file_name = "file";  // else it would be none
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

// All of them together at most limits::kFileStep.
Status add_files(const HttpStepOptions& options, const StepCall& call, HttpCall& request) {
  auto parts = render_form(options, call.scope);
  if (auto trouble = call.scope.take_trouble()) return *trouble;
  std::size_t bytes = 0;
  for (auto& part : parts) {
    if (part.file_name.empty()) continue;
    auto content = read_whole(call.folder, part.value);
    if (!content) return content.error();
    bytes += content->size();
    if (bytes > limits::kFileStep) return Error{"the files of the form are larger than " + std::to_string(limits::kFileStep) + " bytes", "send them in several steps"};
    part.value = std::move(*content);
  }
  auto form = multipart_form(parts);
  request.body = std::move(form.body);
  request.content_type = std::move(form.content_type);
  return {};
}

// What goes with the step into the handler's folder; empty: nothing.
struct Paths {
  std::string file, save;
};

Result<Paths> render_paths(const HttpStepOptions& options, Scope& scope) {
  const auto render = [&](const std::optional<Template>& path) { return path ? path->render([&](std::string_view name) { return scope.value(name); }) : std::string(); };
  Paths paths{render(options.file), render(options.save)};
  if (auto trouble = scope.take_trouble()) return *trouble;
  // An empty value is no path: it must not become a step without one.
  for (const auto& [wanted, path] : {std::pair(options.file.has_value(), &paths.file), std::pair(options.save.has_value(), &paths.save)}) {
    const auto fine = wanted ? check_confined_path(*path) : Status();
    if (!fine) return fine.error();
  }
  return paths;
}

// The last answer: one that leads nowhere further.
Result<HttpResponse> follow(const HttpStepOptions& options, HttpCall request, const StepCall& call) {
  for (int number = 0;; ++number) {
    if (call.deadline) request.timeout = std::max(Duration(std::chrono::milliseconds(1)), *call.deadline - call.tools.clock.now().steady);
    auto answer = call.tools.http.call(request, call.stop);
    if (!answer || options.follow == 0 || !is_redirect(answer->status)) return answer;
    if (number == options.follow) return Error{"more than " + counted(std::size_t(options.follow), "redirect"), "name the address that is meant, or a larger `follow`"};
    auto next = redirected(std::move(request), *answer);
    if (!next) return next.error();
    request = std::move(*next);
  }
}

}  // namespace

Result<HttpCall> render_call(const HttpStepOptions& options, Scope& scope) {
  HttpCall call;
  call.method = options.method;
  call.max_response = limits::kHttpStepResponse;
  auto url = render_url(options.url, scope);
  if (auto trouble = scope.take_trouble()) return *trouble;
  if (!url) return url.error();
  call.url = std::move(*url);
  if (options.json) {
    call.body = write_json(render_json(*options.json, scope));
    call.content_type = "application/json";
  } else if (options.body) {
    call.body = options.body->render([&](std::string_view name) { return scope.value(name); });
    call.content_type = "text/plain; charset=utf-8";
  } else if (sends_files(options)) {
    call.content_type = "multipart/form-data";
  } else if (!options.form.empty()) {
    call.body = url_encoded_form(render_form(options, scope));
    call.content_type = "application/x-www-form-urlencoded";
  } else if (options.file) {
    call.content_type = "application/octet-stream";
  }
  if (auto added = add_headers(options, scope, call); !added) return added.error();
  if (auto trouble = scope.take_trouble()) return *trouble;
  return call;
}

void render(const HttpStepOptions& options, Scope& scope, RenderedStep& shown) {
  shown.kind = "http";
  const auto call = render_call(options, scope);
  const auto paths = render_paths(options, scope);
  if (!call || !paths) {
    shown.error = (call ? paths.error() : call.error()).text();
    return;
  }
  shown.text = shown_call(*call);
  if (options.file) shown.text += "\n\nthe file " + paths->file;
  if (sends_files(options)) {
    for (const auto& part : render_form(options, scope)) shown.text += "\n\n" + part.name + (part.file_name.empty() ? ": " : ": the file ") + part.value;
  }
  if (options.save) shown.text += "\n\nthe answer goes into " + paths->save;
}

StepResult attempt(const HttpStepOptions& options, const StepCall& call) {
  auto request = render_call(options, call.scope);
  if (!request) return failed_for_good(request.error());
  const auto paths = render_paths(options, call.scope);
  if (!paths) return failed_for_good(paths.error());
  if (options.file) {
    auto content = read_whole(call.folder, paths->file);
    if (!content) return failed_for_good(content.error());
    request->body = std::move(*content);
  }
  if (sends_files(options)) {
    if (auto added = add_files(options, call, *request); !added) return failed_for_good(added.error());
  }
  add_unless_there(request->headers, "Idempotency-Key", idempotency_key(call));
  if (const auto trace = traceparent_of(call); !trace.empty()) add_unless_there(request->headers, "traceparent", trace);

  StepResult result;
  auto answer = follow(options, std::move(*request), call);
  if (!answer) {
    result.state = state_of_failure(call);
    if (result.state == StepState::failed) result.error = answer.error().text();
    return result;
  }
  result.exit_code = answer->status;
  result.is_status = true;
  if (options.save && is_expected(options, answer->status)) {
    if (auto saved = write_file(call.folder, paths->save, answer->body, ConfinedFolder::How::replace); !saved) {
      result.state = StepState::failed;
      result.error = saved.error().text();
    }
  }
  keep_output(std::move(answer->body), call, result);
  if (!is_expected(options, answer->status)) {
    result.state = StepState::failed;
    result.error = "status " + std::to_string(answer->status) + ", wanted " + expectation(options);
    result.retry_after = retry_after(answer->headers, call.tools.clock.now().wall);
  }
  return result;
}

}  // namespace hark
