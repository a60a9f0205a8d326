# What is installed beside the programs, and the two archives that ./dev dist makes of it.
install(FILES LICENSE README.md CHANGELOG.md DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES cmake/systemd/sonde-server.service cmake/systemd/sonde-agent.service
  DESTINATION lib/systemd/system)

# Programs are built by name before; tests need not be.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
set(CPACK_PACKAGE_CONTACT "The Sonde maintainers")
set(CPACK_PACKAGE_VENDOR "Sonde")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_FILE_NAME "${PROJECT_NAME}-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR}")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Loaded while the program runs, so that nobody sees it in the programs.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libcurl3-gnutls")
include(CPack)
