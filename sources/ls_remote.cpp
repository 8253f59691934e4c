#include "sources/ls_remote.h"

#include <git2/common.h>
#include <git2/credential.h>
#include <git2/errors.h>
#include <git2/oid.h>
#include <git2/remote.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "core/limits.h"
#include "core/printable.h"
#include "sources/libgit2.h"

namespace hark {
namespace {

namespace fs = std::filesystem;

using Remote = Owned<git_remote, git_remote_free>;

constexpr std::string_view kPeeled = "^{}";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// The keys that ssh(1) tries by itself, as far as they are there.
std::vector<std::string> usual_keys() {
  std::vector<std::string> keys;
  for (const char* name : {"id_ed25519", "id_ecdsa", "id_rsa"}) {
    const auto key = fs::path(environment("HOME")) / ".ssh" / name;
    if (!environment("HOME").empty() && access(key.c_str(), R_OK) == 0) keys.push_back(key.string());
  }
  return keys;
}

// Answers libgit2, which asks again as long as the other side is not content.
class Asked {
 public:
  Asked(const std::string& url, const RemoteCredentials& credentials) : url_(url), credentials_(credentials) {
    if (!credentials.ssh_key.empty()) {
      keys_ = {credentials.ssh_key};
    } else {
      if (!environment("SSH_AUTH_SOCK").empty()) keys_.emplace_back();  // the agent's
      for (auto& key : usual_keys()) keys_.push_back(std::move(key));
    }
  }

  static int answer(git_credential** out, const char* url, const char* url_user, unsigned allowed, void* payload) {
    return static_cast<Asked*>(payload)->answer(out, url, url_user != nullptr ? url_user : "", allowed);
  }

  // What was asked for and not given, or given and refused; empty: libgit2's own words are better.
  const std::string& cure() const { return cure_; }

 private:
  int answer(git_credential** out, const std::string& url, const std::string& url_user, unsigned allowed) {
    const std::string user = !credentials_.username.empty() ? credentials_.username : !url_user.empty() ? url_user : "git";
    if ((allowed & GIT_CREDENTIAL_USERNAME) != 0) return git_credential_username_new(out, user.c_str());
    if ((allowed & GIT_CREDENTIAL_SSH_KEY) != 0) return answer_ssh(out, user);
    if ((allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT) != 0) return answer_password(out, url, user);
    return refuse("it wants to know who asks in a way that hark does not know");
  }

  int answer_ssh(git_credential** out, const std::string& user) {
    if (next_key_ == keys_.size()) {
      return refuse(keys_.empty() ? "start hark with an ssh agent ($SSH_AUTH_SOCK), or name a key: ssh_key = \"/path/of/id_ed25519\""
                                  : "the other side took none of the keys that were tried: give it the public one, or name another with ssh_key");
    }
    const std::string& key = keys_[next_key_++];
    if (key.empty()) return git_credential_ssh_key_from_agent(out, user.c_str());
    return git_credential_ssh_key_new(out, user.c_str(), nullptr, key.c_str(), "");
  }

  // A redirection leads elsewhere: whoever is there does not get the token.
  int answer_password(git_credential** out, const std::string& url, const std::string& user) {
    if (credentials_.token.empty()) return refuse("it asks who is there: give `token`");
    if (!url.empty() && host_of(url) != host_of(url_)) return refuse("it leads on to another host, which is not given the token: name the new address as `repository`");
    if (token_given_) return refuse("it does not take the token: see that it is right and may read the repository, and `username` with it");
    token_given_ = true;
    return git_credential_userpass_plaintext_new(out, user.c_str(), credentials_.token.c_str());
  }

  static std::string host_of(const std::string& url) {
    const auto begin = url.find("://");
    if (begin == std::string::npos) return url;
    const auto host = url.substr(begin + 3, url.find('/', begin + 3) - begin - 3);
    return url.substr(0, begin) + "//" + host.substr(host.find('@') + 1);  // npos + 1 is 0
  }

  int refuse(std::string cure) {
    cure_ = std::move(cure);
    return GIT_EUSER;
  }

  const std::string& url_;
  const RemoteCredentials& credentials_;
  std::vector<std::string> keys_;  // an empty one: the agent's
  std::size_t next_key_ = 0;
  bool token_given_ = false;
  std::string cure_;
};

std::string cure_of(int code, const std::string& url) {
  switch (code) {
    case GIT_ECERTIFICATE:
      return "see that its certificate, or its line in ~/.ssh/known_hosts, is right; authorities of your own come with SSL_CERT_FILE";
    case GIT_EAUTH: return "see that `token`, `username` or the ssh key is right and may read the repository";
    case GIT_ENOTFOUND: return "see that there is such a repository, and that who asks may read it";
    default: return "see that `repository` is right; git ls-remote " + printable(url, limits::kShownValue) + " says more";
  }
}

// What a distribution's libgit2 believes are mbedTLS's own places; the variables are those of OpenSSL and of git.
void believe_authorities() {
  for (const char* name : {"GIT_SSL_CAINFO", "SSL_CERT_FILE"}) {
    if (const auto file = environment(name); !file.empty()) git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, file.c_str(), nullptr);
  }
}

bool is_id(std::string_view text) {
  return text.size() == GIT_OID_HEXSZ && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Status take(RemoteRefs& refs, std::string_view name, std::string_view id) {
  if (name.ends_with(kPeeled)) {
    refs.commits.emplace(name.substr(0, name.size() - kPeeled.size()), id);
  } else {
    refs.tips.emplace(name, id);
  }
  if (refs.tips.size() <= limits::kGitReferences) return {};
  return Error{"it has more than " + std::to_string(limits::kGitReferences) + " branches and tags that are asked for", "name those that matter with `branches` and `tags`"};
}

}  // namespace

Result<RemoteRefs> ls_remote(const std::string& url, const RemoteCredentials& credentials, const WantedRefs& wanted) {
  prepare_libgit2();
  believe_authorities();
  Remote remote;
  Asked asked(url, credentials);
  git_remote_connect_options options = GIT_REMOTE_CONNECT_OPTIONS_INIT;
  options.callbacks.credentials = Asked::answer;
  options.callbacks.payload = &asked;
  options.proxy_opts.type = GIT_PROXY_AUTO;
  int error = git_remote_create_detached(remote.out(), url.c_str());
  if (error == 0) error = git_remote_connect_ext(remote.get(), GIT_DIRECTION_FETCH, &options);
  const git_remote_head** heads = nullptr;
  std::size_t count = 0;
  if (error == 0) error = git_remote_ls(&heads, &count, remote.get());
  if (error != 0) {
    if (!asked.cure().empty()) return Error{"it does not let us in", asked.cure()};
    return Error{printable(libgit2_error(), limits::kStepError), cure_of(error, url)};
  }
  RemoteRefs refs;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view name = heads[i]->name;
    const auto plain = name.substr(0, name.size() - (name.ends_with(kPeeled) ? kPeeled.size() : 0));
    if (!wanted.fits(plain)) continue;
    if (auto status = take(refs, name, git_oid_tostr_s(&heads[i]->oid)); !status) return status.error();
  }
  return refs;
}

std::string to_lines(const RemoteRefs& refs) {
  std::string lines;
  for (const auto& [ref, id] : refs.tips) lines += id + " " + ref + "\n";
  for (const auto& [ref, id] : refs.commits) lines += id + " " + ref + std::string(kPeeled) + "\n";
  return lines;
}

Result<RemoteRefs> from_lines(std::string_view lines) {
  RemoteRefs refs;
  while (!lines.empty()) {
    const auto line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    if (line.empty()) continue;
    if (line.size() <= GIT_OID_HEXSZ + 1 || line[GIT_OID_HEXSZ] != ' ' || !is_id(line.substr(0, GIT_OID_HEXSZ))) {
      return Error{"expected an id and a reference, found '" + printable(line, limits::kShownValue) + "'", {}};
    }
    if (auto status = take(refs, line.substr(GIT_OID_HEXSZ + 1), line.substr(0, GIT_OID_HEXSZ)); !status) return status.error();
  }
  return refs;
}

// git's own rule (git-clone(1), "GIT URLS"): host:path is one where no slash comes before the colon.
bool is_remote(std::string_view place) {
  const auto colon = place.find(':');
  return place.find("://") != place.npos || (colon != place.npos && place.find('/') > colon);
}

}  // namespace hark
