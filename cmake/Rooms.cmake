# sonde_room(NAME SOURCES a.c b.c DEPENDS lower rooms PRIVATE outside libraries)
#
# One static library per room. DEPENDS are the arrows of the design and are PUBLIC; libraries are
# PRIVATE so that nobody above can include their headers by accident.
function(sonde_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(${name} PUBLIC ${ROOM_DEPENDS} PRIVATE house_flags ${ROOM_PRIVATE} Threads::Threads m)
  target_include_directories(${name} PUBLIC "${CMAKE_SOURCE_DIR}/include")
endfunction()

# Everything that is installed: what ./dev build makes and ./dev run starts.
add_custom_target(programs)

# sonde_program(NAME SOURCES main.c DEPENDS rooms PRIVATE libraries)
function(sonde_program name)
  cmake_parse_arguments(PROGRAM "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_executable(${name} ${PROGRAM_SOURCES})
  target_link_libraries(${name} PRIVATE house_flags ${PROGRAM_DEPENDS} ${PROGRAM_PRIVATE} m)
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  add_dependencies(programs ${name})
  install(TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endfunction()
