// What `git ls-remote` tells: where the branches and tags of a remote repository stand, asked through libgit2 over https, http, ssh, git or
// file.
//
// It blocks for as long as the other side pleases (libgit2 1.5 has no time limit), and hands a stranger's bytes to the TLS and SSH libraries
// it is linked with: the daemon has it run in a process of its own (sources/remote_reader.h), which can be ended.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/result.h"
#include "sources/git_repository.h"

namespace hark {

// Who asks. Empty: over https nobody in particular; over ssh whom the agent speaks for ($SSH_AUTH_SOCK), else the keys that ssh itself
// would try (~/.ssh/id_ed25519, id_ecdsa, id_rsa, without a passphrase).
struct RemoteCredentials {
  std::string username;  // empty: the URL's, else "git"
  std::string token;     // https: a password, or an access token in its place
  std::string ssh_key;   // ssh: the file of a private key without a passphrase
  friend bool operator==(const RemoteCredentials&, const RemoteCredentials&) = default;
};

struct RemoteRefs {
  RefTips tips;
  std::map<std::string, std::string> commits;  // of annotated tags: reference -> the commit
};

// Those that `wanted` fits. The error says what to do about it.
Result<RemoteRefs> ls_remote(const std::string& url, const RemoteCredentials& credentials, const WantedRefs& wanted);

// "ID REF" a line, as git writes it, a tag's commit as "REF^{}": how the process that asked hands it over.
std::string to_lines(const RemoteRefs& refs);
Result<RemoteRefs> from_lines(std::string_view lines);

// An address of a remote repository, as git clone takes it ("https://…", "ssh://…", "user@host:path"), not a path.
bool is_remote(std::string_view place);

}  // namespace hark
