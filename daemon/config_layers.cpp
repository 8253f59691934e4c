#include "daemon/config_layers.h"

#include <algorithm>

#include "core/limits.h"
#include "daemon/config_expand.h"
#include "daemon/toml_document.h"

namespace hark {
namespace {

using std::filesystem::path;

// Relative where it lies below the working directory: what a person would type, and an editor can open.
std::string name_of(const path& file, const path& working_directory) {
  const path relative = file.lexically_relative(working_directory);
  if (relative.empty() || *relative.begin() == "..") return file.string();
  return relative.string();
}

// One file names at most one other, so the layers are a chain; it is walked from the top one down.
class LayerLoader {
 public:
  LayerLoader(const ConfigRequest& request, ConfigReport& report, std::vector<path>& files) : request_(request), report_(report), files_(files) {}

  std::optional<LayeredConfig> run() {
    auto found = find_config(request_);
    if (!found) {
      report_.error({}, found.error().text());  // which names the file
      return std::nullopt;
    }
    const bool profile = request_.profile.has_value();
    const path base = profile ? request_.working_directory : found->path.parent_path();
    std::optional<ConfigNode> root = layer(std::move(*found), base, profile);
    if (!root) return std::nullopt;
    return LayeredConfig{std::move(*root), first_, whole_};
  }

 private:
  std::optional<ConfigNode> layer(FoundConfig found, const path& base, bool profile) {
    auto file = std::make_shared<ConfigFile>();
    file->path = found.path;
    file->name = name_of(found.path, request_.working_directory);
    file->base = base;
    file->profile = profile;
    file->order = static_cast<int>(chain_.size());
    if (!first_) first_ = file;
    chain_.push_back(file);
    files_.push_back(file->path);

    auto parsed = parse_toml(found.text, file);
    if (const auto* fault = std::get_if<TomlFault>(&parsed)) {
      report_.error(fault->place, fault->message);
      whole_ = false;
      auto part = readable_part(found.text, file);
      if (!part) return std::nullopt;
      parsed = std::move(*part);
    }
    ConfigNode root = std::move(std::get<ConfigNode>(parsed));
    name_sources(root);
    const ConfigEntry* extends = root.find("extends");
    if (extends == nullptr) return root;
    std::optional<ConfigNode> under = extended(extends->value, *file);
    if (!under) {
      whole_ = false;
      return root;
    }
    return merge_config(std::move(*under), std::move(root), report_);
  }

  // What stands before the fault: where the journal is, mostly, so that the daemon can be spoken to while a person edits. nullopt: that
  // may stand in what is left out.
  static std::optional<ConfigNode> readable_part(std::string_view text, const std::shared_ptr<const ConfigFile>& file) {
    const auto whole = text;
    for (int lines = 0; lines < limits::kConfigFaultLines && !text.empty(); ++lines) {
      const auto cut = text.substr(0, text.size() - 1).rfind('\n');
      text = cut == text.npos ? std::string_view{} : text.substr(0, cut + 1);
      auto parsed = parse_toml(text, file);
      if (auto* root = std::get_if<ConfigNode>(&parsed)) {
        if (whole.substr(text.size()).find("journal_file") != whole.npos) return std::nullopt;
        return std::move(*root);
      }
      const auto& place = std::get<TomlFault>(parsed).place;
      std::size_t end = 0;  // of the line before the fault
      for (int line = 1; line < place.line && end != text.npos; ++line) end = text.find('\n', end) == text.npos ? text.npos : text.find('\n', end) + 1;
      if (end < text.size()) text = text.substr(0, end);
    }
    return std::nullopt;
  }

  std::optional<ConfigNode> extended(const ConfigNode& value, const ConfigFile& from) {
    const auto fail = [&](const std::string& message) {
      report_.error(value.place, "extends: " + message);
      return std::nullopt;
    };
    if (!value.is(ConfigNode::Kind::string)) {
      return fail("expected a profile's name or a path as a string, found " + std::string(with_article(value.kind)));
    }
    const auto expanded = expand(value.text, request_.environment, Braces::keep);
    if (!expanded) return fail(expanded.error().text());
    const std::string& wanted = expanded->text;
    if (wanted.empty()) return fail("expected a profile's name or a path, found an empty string");
    if (chain_.size() >= static_cast<std::size_t>(limits::kExtendsDepth)) {
      return fail("more than " + std::to_string(limits::kExtendsDepth) + " files in a row: " + chain_text());
    }
    const bool by_path = wanted.find('/') != std::string::npos || path(wanted).extension() == ".toml";
    const path folder = from.path.parent_path();
    auto found = by_path ? read_config((folder / wanted).lexically_normal(), wanted)
                         : find_profile(wanted, request_, from.profile ? path() : folder / "profiles");
    if (!found) return fail(found.error().text());
    if (already_read(found->path)) {
      return fail("goes round in a circle: " + chain_text() + " -> " + name_of(found->path, request_.working_directory));
    }
    // A profile, and what a profile is made of, is brought to the folder of whoever asked for it.
    const bool profile = from.profile || !by_path;
    return layer(std::move(*found), profile ? from.base : found->path.parent_path(), profile);
  }

  bool already_read(const path& file) const {
    return std::any_of(chain_.begin(), chain_.end(), [&](const auto& each) {
      std::error_code failure;
      return each->path == file || std::filesystem::equivalent(each->path, file, failure);
    });
  }

  std::string chain_text() const {
    std::string text;
    for (const auto& each : chain_) text += (text.empty() ? "" : " -> ") + each->name;
    return text;
  }

  const ConfigRequest& request_;
  ConfigReport& report_;
  std::vector<path>& files_;
  std::shared_ptr<const ConfigFile> first_;
  bool whole_ = true;
  std::vector<std::shared_ptr<const ConfigFile>> chain_;
};

}  // namespace

std::optional<LayeredConfig> load_layers(const ConfigRequest& request, ConfigReport& report, std::vector<path>& files) {
  return LayerLoader(request, report, files).run();
}

}  // namespace hark
