# What is installed: the worker, the operator, the library (shared and static), its header, pkg-config file, manual.
add_executable(pqcdc src/worker/main.c)
target_link_libraries(pqcdc PRIVATE room_worker)
target_link_options(pqcdc PRIVATE -pie)

add_executable(pqcdc-operator src/operator/main.c)
target_link_libraries(pqcdc-operator PRIVATE room_operator)
target_link_options(pqcdc-operator PRIVATE -pie)

# The library is the rooms up to connector behind include/pqcdc; everything else stays hidden.
add_library(pqcdc_public OBJECT src/connector/pqcdc.c)
target_link_libraries(pqcdc_public PUBLIC room_connector)

add_library(pqcdc_shared SHARED)
target_link_libraries(pqcdc_shared PRIVATE pqcdc_public)
set_target_properties(pqcdc_shared PROPERTIES OUTPUT_NAME pqcdc VERSION ${PROJECT_VERSION} SOVERSION 0)

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
configure_file(${PROJECT_SOURCE_DIR}/cmake/pqcdc.pc.in ${CMAKE_BINARY_DIR}/pqcdc.pc @ONLY)

install(TARGETS pqcdc pqcdc-operator RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS pqcdc_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${static_library} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/pqcdc/pqcdc.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pqcdc)
install(FILES ${CMAKE_BINARY_DIR}/pqcdc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES docs/pqcdc.1 docs/pqcdc-operator.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

# Programs of examples/, built against the library as a user would.
add_executable(example_handler examples/handler.c)
target_include_directories(example_handler PRIVATE include)
target_link_libraries(example_handler PRIVATE pqcdc_shared)
target_compile_options(example_handler PRIVATE -Wall -Wextra)
if(sanitizers)
  target_compile_options(example_handler PRIVATE ${sanitizers})
  target_link_options(example_handler PRIVATE ${sanitizers})
endif()
if(TSAN)
  target_sources(example_handler PRIVATE $<TARGET_OBJECTS:tsan_librdkafka>)
endif()
