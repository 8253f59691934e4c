// The post-receive hook: put into a repository, taken out, and what it calls.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "core/payload.h"
#include "daemon/git_hook.h"
#include "daemon/places.h"
#include "platform/http_client.h"

namespace hark {
namespace {

// A push waits no longer than this for the daemon to say that it heard. It has what was sent, also when it says so later.
constexpr auto kHookPatience = std::chrono::milliseconds(30);

// All of them, also after one that failed; `step` says what was done.
int each_repository(const HookCommand& command, const std::function<Result<std::string>(const std::filesystem::path&)>& step) {
  int code = exit_code::kOk;
  for (const auto& repository : command.repositories.empty() ? std::vector<std::string>{"."} : command.repositories) {
    if (const auto done = step(repository)) {
      output::print_line(*done);
    } else {
      output::complain(done.error());
      code = exit_code::kFailed;
    }
  }
  return code;
}

}  // namespace

int install_hook_command(const HookCommand& command) {
  auto socket = std::filesystem::path(command.common.socket);
  if (socket.empty()) {
    const auto journal = find_journal(command.common, "mend it, or name the daemon's control socket with --socket PATH");
    if (!journal) return exit_code::kConfig;
    socket = socket_path(*journal);
  }
  socket = std::filesystem::absolute(socket);
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  return each_repository(command, [&](const std::filesystem::path& repository) -> Result<std::string> {
    const auto hook = install_hook({repository, program, socket});
    if (!hook) return hook.error();
    if (hook->was_there) return hook->file.string() + " calls hark already";
    return "wrote " + hook->file.string() + ": each push is handed to the daemon at " + socket.string();
  });
}

int uninstall_hook_command(const HookCommand& command) {
  return each_repository(command, [](const std::filesystem::path& repository) -> Result<std::string> {
    const auto file = uninstall_hook(repository);
    if (!file) return file.error();
    return "removed " + file->string();
  });
}

// Whatever happens, the push has happened: this never fails one, and says to who pushes ("remote: hark: ...") what he should know.
int receive_hook_command(const HookCommand& command) {
  const char* folder = std::getenv("GIT_DIR");
  const auto body = pushes_json(std::string(std::istreambuf_iterator<char>(std::cin), {}), folder != nullptr ? folder : ".");
  if (!body) {
    output::complain(body.error());
    return exit_code::kOk;
  }
  if (body->empty()) return exit_code::kOk;  // nothing moved
  HttpCall call;
  call.unix_socket = command.common.socket;
  call.method = "POST";
  call.url = "/api/git/pushes";
  call.body = *body;
  call.content_type = "application/json";
  call.timeout = kHookPatience;
  if (access(call.unix_socket.c_str(), W_OK) != 0) {
    output::complain(errno == EACCES ? "the daemon's socket is not open to this user; the daemon finds the push by itself" : "the daemon is away; when it starts it tells where the branches stand then");
    return exit_code::kOk;
  }
  const auto answer = RealHttpClient().call(call, {});
  if (!answer) return exit_code::kOk;  // it is busy, and has what was sent; or it ended just now
  if (answer->status != 202) {
    output::complain("the daemon did not take word of this push: " + std::to_string(answer->status));
  } else if (const auto said = parse_json(answer->body, "the answer"); said && said->value("sources", 1) == 0) {
    output::complain("no git_push source of the daemon watches this repository");
  }
  return exit_code::kOk;
}

}  // namespace hark
