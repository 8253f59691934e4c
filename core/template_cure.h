// The words of a ShellCure, for core/template_shell.cpp and core/template_arguments.cpp. Pure.
#pragma once

#include <string>

#include "core/shell_words.h"

namespace hark {

// What whoever wrote {name} (empty: find's {}) where it cannot stand does instead; `in_list`: in a list command, else in a script.
std::string cure_text(ShellCure cure, const std::string& name, bool in_list);

}  // namespace hark
