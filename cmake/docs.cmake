# Documents that come from tables. The target docs writes them; the tests fail when one drifted, and
# when the comparison would not notice.
add_executable(docs_gen ${PROJECT_SOURCE_DIR}/tests/style/docs_gen.c ${PROJECT_SOURCE_DIR}/tests/style/resource_docs.c)
target_include_directories(docs_gen PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_compile_definitions(docs_gen PRIVATE SOURCE_DIR="${PROJECT_SOURCE_DIR}")
target_link_libraries(docs_gen PRIVATE room_connector room_election room_operator)
set_target_properties(docs_gen PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

add_custom_target(docs)
function(generated_document name file)
  set(path ${PROJECT_SOURCE_DIR}/docs/${file})
  add_custom_command(TARGET docs POST_BUILD COMMAND docs_gen ${name} ${path} -w VERBATIM)
  add_test(NAME style.docs_${name} COMMAND docs_gen ${name} ${path})
  # The planted violation: another text between the same markers must be refused.
  add_test(NAME style.docs_${name}.planted
    COMMAND sh -c "sed -e 's/a/b/; /^<!--/s/b/a/; /^ *# /s/b/a/' '${path}' > docs_${name}.planted && $<TARGET_FILE:docs_gen> ${name} docs_${name}.planted")
  set_tests_properties(style.docs_${name}.planted PROPERTIES
    PASS_REGULAR_EXPRESSION "differs from (src|crds)/")
  set_tests_properties(style.docs_${name} style.docs_${name}.planted PROPERTIES LABELS style TIMEOUT 60)
endfunction()
generated_document(configuration configuration.md)
generated_document(metrics metrics.md)
generated_document(life_cycle architecture.md)
generated_document(election failover.md)
generated_document(resource ../crds/connectors.pqcdc.io.yaml)
generated_document(resource_fields kubernetes.md) # behind the resource, out of which it is made
