# How to build: what the presets switch on (CMakePresets.json) is off for users, whose compilers may know other
# warnings.
option(CNNC_WARNINGS_AS_ERRORS "Every warning of the compiler is an error" OFF)
option(CNNC_PRECOMPILED_HEADERS "Parse the headers that most files include only once" OFF)
set(CNNC_SANITIZERS "" CACHE STRING "Sanitizers for all code but that of compiled models, as in address,undefined")

# ccache and the precompiled headers of Clang do not understand each other.
find_program(CNNC_CCACHE ccache)
# Nor does it see what the few C files take in by .incbin: they are compiled each time.
if(CNNC_CCACHE AND NOT CNNC_PRECOMPILED_HEADERS)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CNNC_CCACHE})
endif()
if(CNNC_WARNINGS_AS_ERRORS)
  add_compile_options(-Werror)
endif()
if(CNNC_SANITIZERS)
  # vptr and function need what LLVM and compiled models do not have: types beside their tables and functions.
  set(sanitize -fsanitize=${CNNC_SANITIZERS} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  if(CNNC_SANITIZERS MATCHES undefined)
    list(APPEND sanitize -fno-sanitize=vptr -fno-sanitize=function)
  endif()
  add_compile_options(${sanitize})
  add_link_options(${sanitize})
endif()

# Fuzzers (tests/fuzz) are led by what code an input reaches. Only the code that reads files counts it, since counting in
# all would make the unit tests twice as slow.
if(CMAKE_CXX_COMPILER_ID MATCHES Clang AND CNNC_SANITIZERS MATCHES address)
  set(CNNC_FUZZERS ON)
endif()
function(cnnc_count_coverage)
  if(CNNC_FUZZERS)
    set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS
      -fsanitize-coverage=inline-8bit-counters,indirect-calls,trace-cmp,pc-table)
  endif()
endfunction()

# What costs most to parse, once for each library. Files include what they use all the same: the release build tells.
function(cnnc_precompile_headers target)
  if(CNNC_PRECOMPILED_HEADERS)
    target_precompile_headers(${target} PRIVATE <algorithm> <cmath> <functional> <map> <set> <string> <vector>
      <fmt/format.h> <fmt/ranges.h> ${ARGN})
  endif()
endfunction()

# Interpreters of networks and loops, and what checks loops after every pass: unoptimised they would take 15 to 30 times as
# long, and tests with them. Clang's precompiled headers belong to one level of optimisation.
function(cnnc_always_optimize)
  if(CMAKE_BUILD_TYPE STREQUAL Debug)
    set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS -O2)
    set_property(SOURCE ${ARGN} PROPERTY SKIP_PRECOMPILE_HEADERS ON)
  endif()
endfunction()
