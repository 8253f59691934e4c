// The least a watcher of a tree does: each folder is watched and listed, and the first change is told.   tree_floor ROOT
#include <dirent.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "bench/stamp.h"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const int fd = inotify_init1(IN_CLOEXEC);
  std::vector<std::string> todo{argv[1]};
  while (!todo.empty()) {
    const std::string folder = std::move(todo.back());
    todo.pop_back();
    if (inotify_add_watch(fd, folder.c_str(), IN_CLOSE_WRITE | IN_CREATE) < 0) bench::die(folder.c_str());
    DIR* listing = opendir(folder.c_str());
    if (listing == nullptr) continue;
    while (const dirent* entry = readdir(listing)) {
      if (entry->d_type == DT_DIR && std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) todo.push_back(folder + "/" + entry->d_name);
    }
    closedir(listing);
  }
  alignas(inotify_event) char buffer[4096];
  while (read(fd, buffer, sizeof buffer) > 0) {
    std::puts("changed");
    std::fflush(stdout);
  }
}
