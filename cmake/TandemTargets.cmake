# tandem_library(NAME SOURCES a.cpp ... DEPENDS other ... [PRECOMPILED <header> ...]): one static library per
# folder. PRECOMPILED are headers that most of its sources include, and those of no other target.
# tandem_module(NAME SOURCES a.cpp ... DEPENDS lib ...): a part of the program that is loaded when it is needed
# (machine/host/module): tandem_sdl_sound is libtandem-sdl-sound.so.
# tandem_test(NAME [THREADED] SOURCES a_test.cpp ... DEPENDS lib ...): one GoogleTest program, its cases in
# CTest. THREADED ones are what runs under ThreadSanitizer: the target `threaded_tests`, the label `threaded`.
add_library(tandem_options INTERFACE)
target_include_directories(tandem_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(tandem_options INTERFACE
    -Wall -Wextra -Wconversion -Wno-psabi -Wno-invalid-offsetof -fno-strict-aliasing -march=x86-64-v2
    $<$<BOOL:${TANDEM_WERROR}>:-Werror>
    # GCC 12 reports false positives here from inlined standard library code.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-maybe-uninitialized>)
if(NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
    # What ccache wants of sources that use precompiled headers, or make them.
    target_compile_options(tandem_options INTERFACE
        $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess> "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>")
endif()
foreach(sanitizer IN LISTS TANDEM_SANITIZE)
    # Nothing goes on after a report: without the code for that, UBSan's checks compile faster.
    target_compile_options(tandem_options INTERFACE
        -fsanitize=${sanitizer} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(tandem_options INTERFACE -fsanitize=${sanitizer})
endforeach()
# The standard library's own: indices, empty optionals, invalid iterators.
target_compile_definitions(tandem_options INTERFACE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
if(TANDEM_FUZZ)
    # Coverage of everything linked, to guide the fuzzers.
    target_compile_options(tandem_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Outside headers that most sources include, precompiled once for each kind of target; a kind's options are those
# of its targets. Sources include what they need all the same: scripts/test builds without this, too
# (CMAKE_DISABLE_PRECOMPILE_HEADERS).
set(TANDEM_PRECOMPILED <algorithm> <array> <atomic> <bit> <condition_variable> <cstring> <deque> <expected>
    <filesystem> <functional> <map> <memory> <mutex> <optional> <span> <string> <string_view> <thread> <vector>
    <fmt/format.h>)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled.cpp CONTENT "")
function(tandem_precompiled name)
    cmake_parse_arguments(arg "" "" "OPTIONS;HEADERS;DEPENDS" ${ARGN})
    add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/precompiled.cpp)
    target_link_libraries(${name} PRIVATE tandem_options fmt::fmt ${arg_DEPENDS})
    target_compile_options(${name} PRIVATE ${arg_OPTIONS})
    target_precompile_headers(${name} PRIVATE ${TANDEM_PRECOMPILED} ${arg_HEADERS})
endfunction()
tandem_precompiled(precompiled_library)
tandem_precompiled(precompiled_json HEADERS <nlohmann/json.hpp> DEPENDS nlohmann_json::nlohmann_json)
# Tests spend their time in what they test; Clang's optimiser takes long over what sanitizers add.
set(TANDEM_TEST_OPTIONS $<$<NOT:$<CONFIG:Debug>>:$<IF:$<BOOL:${TANDEM_SANITIZE}>,-O0,-O1>>)
tandem_precompiled(precompiled_test OPTIONS -fPIE ${TANDEM_TEST_OPTIONS} HEADERS <gtest/gtest.h> DEPENDS GTest::gtest)

function(tandem_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;PRECOMPILED" ${ARGN})
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC tandem_options ${arg_DEPENDS})
    if(arg_PRECOMPILED)
        target_precompile_headers(${name} PRIVATE ${TANDEM_PRECOMPILED} ${arg_PRECOMPILED})
    elseif("nlohmann_json::nlohmann_json" IN_LIST arg_DEPENDS)
        target_precompile_headers(${name} REUSE_FROM precompiled_json)
    else()
        target_precompile_headers(${name} REUSE_FROM precompiled_library)
    endif()
endfunction()

function(tandem_module name)
    cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
    add_library(${name} MODULE ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE tandem_options ${arg_DEPENDS})
    target_compile_options(${name} PRIVATE -fvisibility=hidden)
    string(REPLACE _ - file ${name})
    set_target_properties(${name} PROPERTIES OUTPUT_NAME ${file} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
    install(TARGETS ${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/tandem)
endfunction()

add_custom_target(threaded_tests)

function(tandem_test name)
    cmake_parse_arguments(arg "THREADED" "" "SOURCES;DEPENDS" ${ARGN})
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE tandem_options ${arg_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main)
    target_compile_options(${name} PRIVATE ${TANDEM_TEST_OPTIONS})
    target_precompile_headers(${name} REUSE_FROM precompiled_test)
    set(properties TIMEOUT 600)
    if(arg_THREADED)
        add_dependencies(threaded_tests ${name})
        list(APPEND properties LABELS threaded)
    endif()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 PROPERTIES ${properties})
endfunction()
