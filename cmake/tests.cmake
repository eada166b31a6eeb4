# Unit and property tests mirror src: tests/unit/<room>/<file>_test.c links room_<room> and cmocka and
# becomes the test unit.<room>.<file>. tests/property likewise. Fuzz targets: tests/fuzz/<room>/
# <name>_fuzz.c with tests/fuzz/corpus/<name>/; without FUZZ they are built with a replay driver.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
pkg_check_modules(GNUTLS REQUIRED IMPORTED_TARGET gnutls) # libmicrohttpd's
set(sanitizer_environment
  "ASAN_OPTIONS=detect_leaks=1:abort_on_error=1" "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp:halt_on_error=1")

function(room_test tier file)
  get_filename_component(directory ${file} DIRECTORY)
  get_filename_component(room ${directory} NAME)
  get_filename_component(stem ${file} NAME_WE)
  string(REGEX REPLACE "_(test|fuzz)$" "" stem ${stem})
  set(target ${tier}_${room}_${stem})
  add_executable(${target} ${file})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE room_${room} PkgConfig::CMOCKA PkgConfig::JANSSON Threads::Threads)
  if(room MATCHES "^(kube|election|operator)$") # unit/kube/fake_api.h
    target_link_libraries(${target} PRIVATE PkgConfig::MICROHTTPD PkgConfig::GNUTLS)
  endif()
  target_compile_definitions(${target} PRIVATE TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  # The checked headers of cmocka predate -Wstrict-prototypes and friends; tests keep the rest.
  target_compile_options(${target} PRIVATE -Wno-missing-prototypes)
endfunction()

foreach(tier unit property)
  file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${tier}/*/*_test.c)
  foreach(file IN LISTS files)
    room_test(${tier} ${file})
    get_filename_component(directory ${file} DIRECTORY)
    get_filename_component(room ${directory} NAME)
    get_filename_component(stem ${file} NAME_WE)
    string(REGEX REPLACE "_test$" "" stem ${stem})
    add_test(NAME ${tier}.${room}.${stem} COMMAND ${tier}_${room}_${stem})
    set_tests_properties(${tier}.${room}.${stem} PROPERTIES LABELS ${tier} TIMEOUT 120
      ENVIRONMENT "${sanitizer_environment}")
  endforeach()
endforeach()

target_sources(unit_connector_handler_callback PRIVATE $<TARGET_OBJECTS:pqcdc_handler>)
include(tests/property/election/mutants.cmake)

add_custom_target(fuzz_targets)
file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/*/*_fuzz.c)
foreach(file IN LISTS files)
  room_test(fuzz ${file})
  get_filename_component(directory ${file} DIRECTORY)
  get_filename_component(room ${directory} NAME)
  get_filename_component(stem ${file} NAME_WE)
  string(REGEX REPLACE "_fuzz$" "" stem ${stem})
  set(target fuzz_${room}_${stem})
  add_dependencies(fuzz_targets ${target})
  if(FUZZ)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    set(arguments -runs=0)
  else()
    target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
    set(arguments "")
  endif()
  add_test(NAME fuzz.${room}.${stem}
    COMMAND ${target} ${arguments} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${stem})
  set_tests_properties(fuzz.${room}.${stem} PROPERTIES LABELS fuzz TIMEOUT 300
    ENVIRONMENT "${sanitizer_environment}")
endforeach()

# ThreadSanitizer must see what is planted, whatever it is told of librdkafka.
if(TSAN)
  room_test(tsan ${PROJECT_SOURCE_DIR}/tests/tsan/kafka/planted_race_test.c)
  target_link_options(tsan_kafka_planted_race PRIVATE -Wl,--wrap=delivery_count_acked)
  foreach(planted none report callback free)
    add_test(NAME tsan.planted_${planted} COMMAND tsan_kafka_planted_race ${planted})
    set_tests_properties(tsan.planted_${planted} PROPERTIES LABELS tsan TIMEOUT 120
      ENVIRONMENT "${sanitizer_environment}")
    if(NOT planted STREQUAL "none")
      set_tests_properties(tsan.planted_${planted} PROPERTIES
        PASS_REGULAR_EXPRESSION "ThreadSanitizer: data race.*planted_${planted}")
    endif()
  endforeach()
endif()

# Programs for a real PostgreSQL: not ctests, since they need a server; the integration tier runs them.
file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/integration/*/*_test.c)
foreach(file IN LISTS files)
  room_test(integration ${file})
endforeach()

# Options that exclude each other are refused when the build is configured.
function(refused_build name text)
  add_test(NAME style.refused_build_${name}
    COMMAND ${CMAKE_COMMAND} --fresh -G ${CMAKE_GENERATOR} -S ${PROJECT_SOURCE_DIR}
            -B ${CMAKE_BINARY_DIR}/refused/${name} -DTESTS=OFF ${ARGN})
  set_tests_properties(style.refused_build_${name} PROPERTIES LABELS style TIMEOUT 120
    PASS_REGULAR_EXPRESSION "${text}")
endfunction()
refused_build(fuzz_gcc "FUZZ needs clang" -DFUZZ=ON -DCMAKE_C_COMPILER=gcc)
refused_build(asan_tsan "ASAN and TSAN exclude each other" -DASAN=ON -DTSAN=ON)

include(tests/style/style.cmake)
include(cmake/docs.cmake)
