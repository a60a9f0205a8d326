# Every outside library, found once. A room links the one it needs by its short name here, and only
# the file that owns a library includes its header (see docs and tests/structure).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

foreach(pair
    "uv=libuv" "microhttpd=libmicrohttpd" "curl=libcurl" "zstd=libzstd" "deflate=libdeflate"
    "zlib=zlib" "xxhash=libxxhash" "re2=re2" "yaml=yaml-0.1" "jansson=jansson"
    "nettle=nettle" "gnutls=gnutls" "crypt=libcrypt" "systemd=libsystemd" "nghttp2=libnghttp2")
  string(REPLACE "=" ";" pair "${pair}")
  list(GET pair 0 name)
  list(GET pair 1 package)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${package})
  add_library(lib::${name} ALIAS PkgConfig::${name})
endforeach()

# Debian ships these without pkg-config files.
foreach(pair "snappy=snappy=snappy-c.h" "roaring=roaring=roaring/roaring.h"
    "double_conversion=double-conversion=double-conversion/double-conversion.h")
  string(REPLACE "=" ";" pair "${pair}")
  list(GET pair 0 name)
  list(GET pair 1 library)
  list(GET pair 2 header)
  find_library(${name}_LIBRARY ${library} REQUIRED)
  find_path(${name}_INCLUDE ${header} REQUIRED)
  add_library(lib_${name} INTERFACE)
  target_link_libraries(lib_${name} INTERFACE "${${name}_LIBRARY}")
  target_include_directories(lib_${name} SYSTEM INTERFACE "${${name}_INCLUDE}")
  add_library(lib::${name} ALIAS lib_${name})
endforeach()

# libcurl is not linked but loaded by this name when it is needed (base/base/http_client_library.h).
execute_process(COMMAND "${CMAKE_OBJDUMP}" -p "${pkgcfg_lib_curl_${curl_LIBRARIES}}"
  OUTPUT_VARIABLE curl_headers COMMAND_ERROR_IS_FATAL ANY)
if(NOT curl_headers MATCHES "SONAME +([^ \n]+)")
  message(FATAL_ERROR "the name of libcurl cannot be found in ${pkgcfg_lib_curl_${curl_LIBRARIES}}")
endif()
set(SONDE_CURL_LIBRARY "${CMAKE_MATCH_1}")
