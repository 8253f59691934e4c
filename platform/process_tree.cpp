#include "platform/process_tree.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <set>

#include "core/limits.h"
#include "platform/clock.h"
#include "platform/pidfd.h"

namespace hark {
namespace {

std::string label(pid_t pid, const std::string& name) {
  std::string out = std::to_string(pid) + " (";
  for (const char c : name) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out + ")";
}

std::string list(const std::vector<std::string>& labels) {
  constexpr std::size_t kShown = 5;
  std::string out;
  for (std::size_t i = 0; i < labels.size() && i < kShown; ++i) out += (i == 0 ? "" : ", ") + labels[i];
  if (labels.size() > kShown) out += " and " + std::to_string(labels.size() - kShown) + " more";
  return out;
}

void add_clause(std::string& note, const std::string& clause) {
  if (!note.empty() && !clause.empty()) note += "; ";
  note += clause;
}

// This process and those above it are never members, whatever marks they bear.
std::set<pid_t> own_line(const std::map<pid_t, ProcessEntry>& table) {
  std::set<pid_t> line;
  for (pid_t pid = getpid(); pid > 0 && line.insert(pid).second;) {
    const auto found = table.find(pid);
    pid = found == table.end() ? 0 : found->second.parent;
  }
  return line;
}

bool still_there(const ProcessEntry& entry) {
  ProcessEntry again;
  return read_process(entry.pid, again) && again.start == entry.start && again.state != 'Z';
}

}  // namespace

std::string ProcessTree::end(const Wait& wait) {
  // Stopped first, so that all are known before any of them learns of it: who is born later (a trap that cleans up) was born
  // of a member that was asked, and is given the grace without being asked itself.
  freeze(steady_now() + limits::kFreezePatience);
  signal_all(SIGTERM);
  signal_all(SIGCONT);
  wait_until_gone(wait, steady_now() + options_.grace);

  std::string note;
  if (collect() > 0 || any_left()) {
    note = note_of_left("had to be killed");
    kill_all(wait);
    if (any_left()) add_clause(note, note_of_left("could not be ended"));
    if (fleeting_ > 0) {
      add_clause(note, "processes that fork faster than they can be stopped may be left running (" + std::to_string(fleeting_) +
                           " came and went in the last look)");
    }
  }
  for (auto& [pid, member] : members_) {
    if (member.out_of_reach) add_clause(note, "not allowed to end " + label(pid, member.name));
    reap(member);
  }
  if (!untraced_.empty()) add_clause(note, "left running, for want of a trace of whose they are: " + list(untraced_));
  return note;
}

void ProcessTree::kill_all(const Wait& wait) {
  const SteadyTime give_up = steady_now() + limits::kKillPatience;
  do {
    freeze(give_up);
    signal_group(SIGKILL);
    signal_all(SIGKILL);
    wait_until_gone(wait, std::min(give_up, steady_now() + std::chrono::seconds(1)));
  } while ((collect() > 0 || any_left()) && steady_now() < give_up);
}

// Stopped processes do not fork: once a look finds nobody new, all are known.
void ProcessTree::freeze(SteadyTime give_up) {
  constexpr int kHuntsInVain = 20;  // a few milliseconds; then a look at all says who is left
  freezing_ = true;
  do {
    signal_group(SIGSTOP);
    signal_all(SIGSTOP);
    for (int in_vain = 0; fleeting_ > 0 && in_vain < kHuntsInVain && steady_now() < give_up;) in_vain = hunt() > 0 ? 0 : in_vain + 1;
  } while (collect() > 0 && steady_now() < give_up);
  freezing_ = false;
}

// Those who fork and end within less time than a look at all processes takes are never held by one. Here only the youngest numbers
// are looked at, and each is taken by itself: held, known by its mark and stopped within microseconds, mostly before it forks again.
std::size_t ProcessTree::hunt() {
  constexpr pid_t kYoungest = 256;  // those alive are among them, be it a hundred chains
  if (options_.run_id.empty()) return 0;
  const std::string mark = "HARK_RUN_ID=" + options_.run_id;
  const std::size_t before = members_.size();
  const pid_t newest = newest_process();
  for (pid_t pid = newest; pid > 2 && pid > newest - kYoungest; --pid) {
    if (own_line_.contains(pid) || members_.contains(pid)) continue;
    const Descriptor pidfd = open_pidfd(pid);
    // Whose mark it was: had the number been given out anew meanwhile, the one that is held would be gone, and nobody is hit.
    if (!pidfd || !has_entry(read_environment(pid), mark) || signal_pidfd(pidfd, SIGSTOP) != 0) continue;
    if (ProcessEntry entry; read_process(pid, entry)) add(entry);
  }
  return members_.size() - before;
}

void ProcessTree::wait_until_gone(const Wait& wait, SteadyTime until) {
  std::vector<pollfd> fds;
  std::vector<Member*> waited;
  while (any_left() && steady_now() < until) {
    fds.clear();
    waited.clear();
    for (auto& [pid, member] : members_) {
      if (member.gone || member.out_of_reach) continue;
      fds.push_back({member.pidfd.get(), POLLIN, 0});
      waited.push_back(&member);
    }
    wait(fds, until);
    bool someone_died = false;
    for (std::size_t i = 0; i < waited.size(); ++i) {
      if (fds[i].revents == 0) continue;
      waited[i]->gone = someone_died = true;
      reap(*waited[i]);
    }
    if (someone_died) collect();  // its children have a new parent now; those seen before are held anyway
  }
}

std::size_t ProcessTree::collect() {
  Table table;
  auto read = read_process_table();
  for (auto& entry : read.entries) table.emplace(entry.pid, std::move(entry));
  own_line_ = own_line(table);
  for (const pid_t pid : own_line_) table.erase(pid);
  const std::size_t before = members_.size();
  fleeting_ = 0;
  // One that is gone already may have left an heir that was not listed yet: somebody has to look again.
  if (options_.root != 0) {
    for (const pid_t pid : read.vanished) fleeting_ += pid > options_.root && !members_.contains(pid);
  }
  if (const auto root = table.find(options_.root); root != table.end() && before == 0) {
    root_start_ = root->second.start;
    add(root->second);
  }
  add_marked(table);
  while (add_related(table)) {
  }
  // Heirs that came to this process to die. Thousands a second may: each keeps its number, and lengthens the next look.
  for (const auto& [pid, entry] : table) {
    if (entry.state == 'Z' && entry.parent == getpid()) options_.reap_orphan(pid);
  }
  return members_.size() - before + fleeting_;
}

void ProcessTree::add_marked(const Table& table) {
  untraced_.clear();
  std::vector<const ProcessEntry*> strays;
  bool older_orphans = false;
  const std::string mark = "HARK_RUN_ID=" + options_.run_id;
  // The newest first: a chain of short-lived heirs is caught by its last.
  for (auto item = table.rbegin(); item != table.rend(); ++item) {
    const auto& [pid, entry] = *item;
    if (knows(entry)) continue;
    if (entry.state == 'Z') {
      if (could_be_ours(entry, table) && dead_.emplace(pid, entry.start).second) ++fleeting_;
      continue;
    }
    const bool adopted = options_.root != 0 && entry.parent == getpid() && !options_.is_command(pid);
    if (adopted && entry.start < root_start_) older_orphans = true;
    if (options_.run_id.empty() && !adopted) continue;
    const std::string environment = read_environment(pid);
    if (environment.empty() && !still_there(entry) && could_be_ours(entry, table)) {
      ++fleeting_;
      continue;
    }
    if (!options_.run_id.empty() && has_entry(environment, mark))
      add(entry);
    else if (adopted && entry.start >= root_start_ && !has_variable(environment, "HARK_RUN_ID="))
      strays.push_back(&entry);
  }
  if (strays.empty()) return;
  // Asked after the look: a command spawned meanwhile, its pid not known yet, has made the answer no.
  const bool ours = !older_orphans && options_.owns_strays();
  for (const auto* stray : strays) {
    if (ours)
      add(*stray);
    else if (!options_.is_command(stray->pid) && !leads(stray->group, *stray, table) && !leads(stray->session, *stray, table)) {
      untraced_.push_back(label(stray->pid, stray->name));
    }
  }
}

// Of one that ended before its mark could be read: whether it may have left an heir that is a member. Not if it descends from
// another command, or from a process outside this one; yes if that cannot be seen any more.
bool ProcessTree::could_be_ours(const ProcessEntry& entry, const Table& table) const {
  if (options_.root == 0 || entry.start < root_start_) return false;
  const ProcessEntry* at = &entry;
  for (int depth = 0; depth < limits::kTreeDepth; ++depth) {
    if (at->parent == getpid())
      return at->session != getsid(0) || at->group != at->pid;  // a command leads a group in our session
    if (at->parent <= 2 || own_line_.contains(at->parent)) return false;
    const auto parent = table.find(at->parent);
    if (parent == table.end()) return true;
    at = &parent->second;
  }
  return true;
}

bool ProcessTree::add_related(const Table& table) {
  const std::size_t before = members_.size();
  for (const auto& [pid, entry] : table) {
    if (knows(entry)) continue;
    if (is_parent(entry.parent, table) || leads(entry.group, entry, table) || leads(entry.session, entry, table)) add(entry);
  }
  return members_.size() > before;
}

bool ProcessTree::knows(const ProcessEntry& entry) const {
  const auto found = members_.find(entry.pid);
  return found != members_.end() && found->second.start == entry.start;
}

bool ProcessTree::is_parent(pid_t parent, const Table& table) const {
  const auto entry = table.find(parent);
  return entry != table.end() && knows(entry->second);
}

// A group or session keeps its leader's number as its own, and the kernel does not give the number out again while there is one.
bool ProcessTree::leads(pid_t leader, const ProcessEntry& entry, const Table& table) const {
  const auto member = members_.find(leader);
  if (member == members_.end()) return false;
  const auto living = table.find(leader);
  return living != table.end() ? living->second.start == member->second.start : entry.start >= member->second.start;
}

void ProcessTree::add(const ProcessEntry& entry) {
  Member member;
  member.pidfd = open_pidfd(entry.pid);
  ProcessEntry again;  // the number may have been given out anew since the look; the same start says it was not
  if (!member.pidfd || !read_process(entry.pid, again) || again.start != entry.start) {
    ++fleeting_;
    return;
  }
  member.start = entry.start;
  member.name = entry.name;
  if (freezing_) signal(member, SIGSTOP);
  members_.insert_or_assign(entry.pid, std::move(member));
}

void ProcessTree::signal_all(int number) {
  for (auto& [pid, member] : members_) signal(member, number);
}

void ProcessTree::signal(Member& member, int number) {
  if (member.gone || member.out_of_reach) return;
  if (signal_pidfd(member.pidfd, number) != 0 && errno == EPERM) member.out_of_reach = true;
}

// To the root's group at once: no fork inside it can slip between. Its number is safe, for the root is not reaped.
void ProcessTree::signal_group(int number) {
  if (options_.root > 0) kill(-options_.root, number);
}

bool ProcessTree::any_left() const {
  return std::any_of(members_.begin(), members_.end(),
                     [](const auto& item) { return !item.second.gone && !item.second.out_of_reach; });
}

bool ProcessTree::reap(Member& member) {
  if (!member.gone || !member.pidfd) return true;
  const auto root = members_.find(options_.root);
  if (root != members_.end() && &root->second == &member) return false;  // its waiter's
  siginfo_t info{};
  // By descriptor, so that another thread that reaps the same orphan does no harm. Not ours (yet): ECHILD, tried again at the
  // end.
  if (waitid(P_PIDFD, static_cast<id_t>(member.pidfd.get()), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return false;
  member.pidfd.reset();
  return true;
}

std::string ProcessTree::note_of_left(std::string_view opening) const {
  std::vector<std::string> left;
  for (const auto& [pid, member] : members_) {
    if (!member.gone && !member.out_of_reach) left.push_back(label(pid, member.name));
  }
  return left.empty() ? std::string() : std::string(opening) + ": " + list(left);
}

}  // namespace hark
