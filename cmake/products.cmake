# The worker. libpqcdc is added with its public functions.
if(EXISTS ${PROJECT_SOURCE_DIR}/src/worker/main.c)
  add_executable(pqcdc src/worker/main.c)
  target_link_libraries(pqcdc PRIVATE room_worker)
  target_link_options(pqcdc PRIVATE -pie)
  install(TARGETS pqcdc RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
