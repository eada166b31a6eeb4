# What is installed: the worker, the operator, the library (shared and static), its header, pkg-config file, manual.
# The worker exports what handlers of include/pqcdc call, and nothing else, to the plug-ins that it loads.
add_library(pqcdc_handler OBJECT src/connector/pqcdc_handler.c)
target_link_libraries(pqcdc_handler PUBLIC room_connector)

add_executable(pqcdc src/worker/main.c $<TARGET_OBJECTS:pqcdc_handler>)
target_link_libraries(pqcdc PRIVATE room_worker)
target_link_options(pqcdc PRIVATE -pie)
set_target_properties(pqcdc PROPERTIES ENABLE_EXPORTS ON)

add_executable(pqcdc-operator src/operator/main.c)
target_link_libraries(pqcdc-operator PRIVATE room_operator)
target_link_options(pqcdc-operator PRIVATE -pie)

# One place each: the project's version is the header's, the number behind the shared library its API's.
file(STRINGS ${PROJECT_SOURCE_DIR}/include/pqcdc/pqcdc.h header_numbers REGEX "^#define PQCDC_(VERSION_M|VERSION_P|API)")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS include/pqcdc/pqcdc.h)
string(REGEX REPLACE ".*VERSION_MAJOR ([0-9]+).*VERSION_MINOR ([0-9]+).*VERSION_PATCH ([0-9]+).*API_VERSION ([0-9]+).*"
  "\\1.\\2.\\3;\\4" header_numbers "${header_numbers}")
list(GET header_numbers 0 header_version)
list(GET header_numbers 1 pqcdc_api_version)
if(NOT header_version STREQUAL PROJECT_VERSION)
  message(FATAL_ERROR "include/pqcdc/pqcdc.h is of version ${header_version}, the project of ${PROJECT_VERSION}.")
endif()

# The library is the rooms up to connector behind include/pqcdc; everything else stays hidden.
add_library(pqcdc_public OBJECT src/connector/pqcdc.c src/connector/pqcdc_handler.c)
target_link_libraries(pqcdc_public PUBLIC room_connector)

add_library(pqcdc_shared SHARED)
target_link_libraries(pqcdc_shared PRIVATE pqcdc_public)
set_target_properties(pqcdc_shared PROPERTIES OUTPUT_NAME pqcdc VERSION ${PROJECT_VERSION} SOVERSION ${pqcdc_api_version})

# One archive that exports what the shared library exports: the rooms are linked into one object, whose
# hidden symbols become local, so that they cannot meet a program's own.
set(static_rooms base config change postgres format kafka progress http connector)
set(static_archives "")
foreach(room IN LISTS static_rooms)
  list(APPEND static_archives $<TARGET_FILE:room_${room}>)
endforeach()
set(static_object ${CMAKE_BINARY_DIR}/lib/pqcdc_static.o)
set(static_library ${CMAKE_BINARY_DIR}/lib/libpqcdc.a)
add_custom_command(OUTPUT ${static_library}
  COMMAND ${CMAKE_LINKER} -r -o ${static_object} $<TARGET_OBJECTS:pqcdc_public>
          --whole-archive ${static_archives} --no-whole-archive
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${static_object}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${static_library}
  COMMAND ${CMAKE_AR} rcs ${static_library} ${static_object}
  COMMAND_EXPAND_LISTS
  DEPENDS pqcdc_public $<TARGET_OBJECTS:pqcdc_public> ${static_archives})
add_custom_target(pqcdc_static ALL DEPENDS ${static_library})

# The pkg-config file finds the rest from where it stands: `cmake --install --prefix` may put all of it
# elsewhere. An absolute directory stays what it is.
file(RELATIVE_PATH pc_up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${pc_up}")
set(pc_libdir "\${prefix}")
set(pc_includedir "\${prefix}")
cmake_path(APPEND pc_libdir ${CMAKE_INSTALL_LIBDIR})
cmake_path(APPEND pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
# What a program that links the archive needs besides it: pkg-config's names, for both packages.
set(pc_needs "libpq libssl libcrypto rdkafka yaml-0.1 libmicrohttpd")
configure_file(${PROJECT_SOURCE_DIR}/cmake/pqcdc.pc.in ${CMAKE_BINARY_DIR}/pqcdc.pc @ONLY)

include(CMakePackageConfigHelpers)
set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/pqcdc)
set(include_directory ${CMAKE_INSTALL_INCLUDEDIR})
set(library_directory ${CMAKE_INSTALL_LIBDIR})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/pqcdcConfig.cmake.in ${CMAKE_BINARY_DIR}/pqcdcConfig.cmake
  INSTALL_DESTINATION ${package_directory} PATH_VARS include_directory library_directory)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/pqcdcConfigVersion.cmake COMPATIBILITY SameMajorVersion)

install(TARGETS pqcdc pqcdc-operator RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS pqcdc_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${static_library} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/pqcdc/pqcdc.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pqcdc)
install(FILES ${CMAKE_BINARY_DIR}/pqcdc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${CMAKE_BINARY_DIR}/pqcdcConfig.cmake ${CMAKE_BINARY_DIR}/pqcdcConfigVersion.cmake
  DESTINATION ${package_directory})
install(FILES docs/pqcdc.1 docs/pqcdc-operator.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

# Examples, built against the library as a user would: a program, and a plug-in. What is installed is without them.
if(NOT TESTS)
  return()
endif()
add_executable(handler-flat examples/handler-flat.c)
target_link_libraries(handler-flat PRIVATE pqcdc_shared)
add_library(handler-outbox MODULE examples/handler-outbox.c)
set_target_properties(handler-outbox PROPERTIES PREFIX "")
foreach(example handler-flat handler-outbox)
  target_include_directories(${example} PRIVATE include)
  target_compile_options(${example} PRIVATE -Wall -Wextra -Wpedantic)
  if(sanitizers)
    target_compile_options(${example} PRIVATE ${sanitizers})
    target_link_options(${example} PRIVATE ${sanitizers})
  endif()
endforeach()
if(TSAN)
  target_sources(handler-flat PRIVATE $<TARGET_OBJECTS:tsan_librdkafka>)
endif()
