#include "platform/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "platform/errno_text.h"

namespace hark {
namespace {

Error failed(const std::string& what, const std::string& path, int code) {
  return {"cannot " + what + " '" + path + "': " + errno_text(code),
          "check the folder's rights and the disk's free space"};
}

Status make_folders(const std::string& file) {
  for (auto slash = file.find('/', 1); slash != std::string::npos; slash = file.find('/', slash + 1)) {
    const std::string folder = file.substr(0, slash);
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST && access(folder.c_str(), F_OK) != 0)
      return failed("make folder", folder, errno);
  }
  return {};
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
  Descriptor file(open(path.c_str(), kFlags, 0600));
  if (!file && errno == ENOENT) {
    if (auto made = make_folders(path); !made) return made.error();
    file.reset(open(path.c_str(), kFlags, 0600));
  }
  if (!file) return failed("write", path, errno);
  return OutputFile(std::move(file), path);
}

Status OutputFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return failed("write", path_, errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace hark
