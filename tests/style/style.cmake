# The shape of the tree as ctests; each check must also catch a planted violation.
find_program(PYTHON3 python3)
if(NOT PYTHON3)
  message(WARNING "python3 is missing: the style tests are left out")
  return()
endif()
foreach(check includes symbols headers sizes format options codes conditions alerts links commands context manuals peers abi)
  add_test(NAME style.${check}
    COMMAND ${PYTHON3} ${PROJECT_SOURCE_DIR}/tests/style/check.py ${check}
            --root ${PROJECT_SOURCE_DIR} --build ${CMAKE_BINARY_DIR})
  add_test(NAME style.${check}.planted
    COMMAND ${PYTHON3} ${PROJECT_SOURCE_DIR}/tests/style/check.py ${check} --planted
            --build ${CMAKE_BINARY_DIR})
  set_tests_properties(style.${check} style.${check}.planted PROPERTIES LABELS style TIMEOUT 120)
endforeach()
