# tandem_library(NAME SOURCES a.cpp ... DEPENDS other ...): one static library per folder.
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
foreach(sanitizer IN LISTS TANDEM_SANITIZE)
    target_compile_options(tandem_options INTERFACE -fsanitize=${sanitizer} -fno-omit-frame-pointer)
    target_link_options(tandem_options INTERFACE -fsanitize=${sanitizer})
endforeach()
# The standard library's own: indices, empty optionals, invalid iterators.
target_compile_definitions(tandem_options INTERFACE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
if(TANDEM_FUZZ)
    # Coverage of everything linked, to guide the fuzzers.
    target_compile_options(tandem_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(tandem_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC tandem_options ${arg_DEPENDS})
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
    set(properties TIMEOUT 600)
    if(arg_THREADED)
        add_dependencies(threaded_tests ${name})
        list(APPEND properties LABELS threaded)
    endif()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 PROPERTIES ${properties})
endfunction()
