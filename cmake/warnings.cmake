add_library(hark_options INTERFACE)
target_compile_options(hark_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlapping copies in std::string's operator+ where there are none (GCC bug 105651), and takes variants and
  # optionals that it has inlined for unset; the sanitizers look for the real ones.
  target_compile_options(hark_options INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
if(HARK_WERROR)
  target_compile_options(hark_options INTERFACE -Werror)
endif()
if(HARK_SANITIZE)
  target_compile_options(hark_options INTERFACE -fsanitize=${HARK_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(hark_options INTERFACE -fsanitize=${HARK_SANITIZE})
  # A third of the time it takes to compile, for what the address sanitizer finds as well.
  target_compile_options(hark_options INTERFACE -fno-sanitize=null,alignment,object-size,vptr)
  # The compiler's warnings follow the flow, and see ghosts in instrumented code; the other builds show the real ones.
  target_compile_options(hark_options INTERFACE -w)
endif()
