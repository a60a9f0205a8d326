# Warnings, hardening and instrumentation, the same for every target of the house.
add_library(house_flags INTERFACE)
target_compile_definitions(house_flags INTERFACE _GNU_SOURCE SONDE_VERSION="${PROJECT_VERSION}")
target_include_directories(house_flags INTERFACE "${CMAKE_SOURCE_DIR}/include")

target_compile_options(house_flags INTERFACE
  -Wall -Wextra -Wshadow -Wformat=2 -Wundef -Wvla -Wwrite-strings -Wno-unused-parameter
  -fno-strict-aliasing -fno-common -fno-math-errno
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition>
  # Bit-exactness is promise 4 and tests compare with other engines: no fused multiply-add unless asked.
  -ffp-contract=off)
# Functions whose use is a mistake here become build errors in our own sources; see the header.
target_compile_options(house_flags INTERFACE
  $<$<COMPILE_LANGUAGE:C>:SHELL:-include ${CMAKE_SOURCE_DIR}/include/base/banned.h>)

if(SONDE_WERROR)
  target_compile_options(house_flags INTERFACE -Werror)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(house_flags INTERFACE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  target_link_options(house_flags INTERFACE -Wl,-z,relro,-z,now)
endif()

if(SONDE_SANITIZE)
  # gcc's own manual: with sanitizers, warnings that follow values report paths that cannot be taken.
  target_compile_options(house_flags INTERFACE
    $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-format-truncation>)
  target_compile_options(house_flags INTERFACE
    -fsanitize=${SONDE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g)
  target_link_options(house_flags INTERFACE -fsanitize=${SONDE_SANITIZE})
endif()
if(SONDE_FUZZERS)
  # libFuzzer steers by the branches taken in every room, not only in the target's own file.
  target_compile_options(house_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(SONDE_COVERAGE)
  target_compile_options(house_flags INTERFACE --coverage -O0 -g)
  target_link_options(house_flags INTERFACE --coverage)
endif()
