# hark_folder(NAME PUBLIC ... PRIVATE ...): the library hark_NAME of every .cpp below the folder, found by glob so that no file
# can be forgotten. Includes are written from the top: #include "core/event.h".
function(hark_folder name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/cli/main\\.cpp$")
  if(NOT sources)
    add_library(hark_${name} INTERFACE)
    string(REPLACE "PUBLIC" "" links "${ARGN}")
    string(REPLACE "PRIVATE" "" links "${links}")
    target_link_libraries(hark_${name} INTERFACE hark_options ${links})
    target_include_directories(hark_${name} INTERFACE ${CMAKE_SOURCE_DIR})
    return()
  endif()
  add_library(hark_${name} STATIC ${sources})
  target_include_directories(hark_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(hark_${name} PUBLIC hark_options ${ARGN})
  if(NOT HARK_SANITIZE)
    return()
  endif()
  # Several files are compiled as one, in a third of the time. The other builds compile each by itself, so that a file that forgets an
  # #include is found.
  set_target_properties(hark_${name} PROPERTIES UNITY_BUILD ON)
endfunction()
