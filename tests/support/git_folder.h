// Runs the real git in a temporary folder, untouched by whatever configuration the machine has.
#pragma once

#include <array>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "tests/support/temporary_folder.h"

namespace hark::test {

class GitFolder {
 public:
  // `git ARGUMENTS` in `folder` (relative to this one), a line of shell. Throws with git's own words when it fails.
  std::string git(const std::string& folder, const std::string& arguments) const {
    return shell(folder, "git -c protocol.file.allow=always " + arguments);
  }

  std::string shell(const std::string& folder, const std::string& line) const {
    const std::string command = "cd '" + (folder_ / folder).string() + "' && { " + line + "; } 2>&1";
    const std::string environment =
        "env -i PATH=\"$PATH\" HOME='" + folder_.path().string() +
        "' GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 "
        "GIT_AUTHOR_NAME='Ada Author' GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME='Carl Committer' "
        "GIT_COMMITTER_EMAIL=carl@example.org LC_ALL=C sh -c " +
        quoted(command);
    FILE* pipe = popen(environment.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("popen failed");
    std::string output;
    std::array<char, 4096> buffer;
    while (const std::size_t size = fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), size);
    if (pclose(pipe) != 0) throw std::runtime_error(line + " failed: " + output);
    while (output.ends_with('\n')) output.pop_back();
    return output;
  }

  // Commits one file; answers the commit's id.
  std::string commit(const std::string& folder, const std::string& file, const std::string& message = "a change") const {
    shell(folder, "mkdir -p \"$(dirname '" + file + "')\" && echo '" + message + "' >> '" + file + "'");
    git(folder, "add -A");
    git(folder, "commit -q -m '" + message + "'");
    return tip(folder);
  }

  std::string tip(const std::string& folder, const std::string& ref = "HEAD") const { return git(folder, "rev-parse " + ref); }

  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

 private:
  static std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
  }

  TemporaryFolder folder_;
};

}  // namespace hark::test
