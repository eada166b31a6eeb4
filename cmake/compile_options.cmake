# Warnings, hardening, sanitizers: one interface library that every target links.
if(FUZZ AND NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "FUZZ needs clang, but the compiler is ${CMAKE_C_COMPILER}: use "
    "-DCMAKE_C_COMPILER=clang-14 in a new build directory, or leave FUZZ out: the corpora are replayed then.")
endif()
if(ASAN AND TSAN)
  message(FATAL_ERROR "ASAN and TSAN exclude each other: use two build directories, one with -DASAN=ON "
    "(-DTSAN=OFF) and one with -DTSAN=ON (-DASAN=OFF).")
endif()

add_library(compile_options INTERFACE)
target_compile_definitions(compile_options INTERFACE _GNU_SOURCE PQCDC_VERSION="${PROJECT_VERSION}")
target_include_directories(compile_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)

target_compile_options(compile_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wformat=2 -Wundef -Wvla -Walloca
  -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wnull-dereference -Wcast-qual
  -Wpointer-arith -Wwrite-strings -Wswitch-enum -Wimplicit-fallthrough -Wdouble-promotion
  -Wframe-larger-than=16384 -Wdate-time -fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(compile_options INTERFACE
    -Wformat-signedness -Wformat-overflow=2 -Wformat-truncation=2 -Wduplicated-cond
    -Wduplicated-branches -Wlogical-op -Wjump-misses-init -Warith-conversion -Wcast-align=strict
    -Wtrampolines)
else()
  target_compile_options(compile_options INTERFACE
    -Wthread-safety -Wmissing-variable-declarations -Wcomma -Wassign-enum
    -Wconditional-uninitialized -Wunreachable-code-aggressive)
endif()
if(WERROR)
  target_compile_options(compile_options INTERFACE -Werror)
endif()

set(sanitizers "")
if(ASAN)
  list(APPEND sanitizers -fsanitize=address,undefined -fno-sanitize-recover=undefined)
endif()
if(TSAN)
  list(APPEND sanitizers -fsanitize=thread)
endif()
if(FUZZ)
  list(APPEND sanitizers -fsanitize=fuzzer-no-link)
endif()
if(COVERAGE)
  list(APPEND sanitizers --coverage)
endif()
if(sanitizers)
  target_compile_options(compile_options INTERFACE -fno-omit-frame-pointer -g ${sanitizers})
  target_link_options(compile_options INTERFACE ${sanitizers})
else()
  target_compile_options(compile_options INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3>
    -fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(compile_options INTERFACE -fcf-protection=full)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    target_compile_options(compile_options INTERFACE -mbranch-protection=standard)
  endif()
  target_link_options(compile_options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
if(TSAN)
  add_library(tsan_librdkafka OBJECT ${PROJECT_SOURCE_DIR}/tests/tsan/librdkafka.c)
  target_compile_definitions(tsan_librdkafka PRIVATE _GNU_SOURCE)
  target_compile_options(tsan_librdkafka PRIVATE -fno-omit-frame-pointer -g)
  target_sources(compile_options INTERFACE
    $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:$<TARGET_OBJECTS:tsan_librdkafka>>)
endif()
if(FAULTS)
  target_compile_definitions(compile_options INTERFACE PQCDC_FAULTS)
endif()
