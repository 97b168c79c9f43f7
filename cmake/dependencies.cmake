# Everything that comes from outside. tools/setup installs it and writes where it put it.
if(DEFINED ENV{LATHE_CACHE})
  set(lathe_cache $ENV{LATHE_CACHE})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(lathe_cache $ENV{XDG_CACHE_HOME}/lathe)
else()
  set(lathe_cache $ENV{HOME}/.cache/lathe)
endif()
include(${lathe_cache}/paths.cmake OPTIONAL)

# -- CAF: OpenSSL has to be found first ------------------------------------------------
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
set(caf_prefix ${LATHE_CACHED_CAF})
if(LATHE_SANITIZER AND EXISTS ${LATHE_CACHED_CAF}-${LATHE_SANITIZER})
  set(caf_prefix ${LATHE_CACHED_CAF}-${LATHE_SANITIZER})
endif()
find_package(CAF 0.18.7 COMPONENTS core io openssl PATHS ${caf_prefix} NO_DEFAULT_PATH)
if(NOT CAF_FOUND)
  message(FATAL_ERROR "CAF 0.18.7 is not there: run tools/setup first (or set CMAKE_PREFIX_PATH)")
endif()
foreach(component core io openssl)
  get_target_property(caf_includes CAF::${component} INTERFACE_INCLUDE_DIRECTORIES)
  set_target_properties(CAF::${component} PROPERTIES
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${caf_includes}")
endforeach()

# -- from the distribution ----------------------------------------------------------------
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp)

# -- the Python whose torch candidates run with ----------------------------------------------
set(LATHE_PYTHON "${LATHE_CACHED_PYTHON}" CACHE FILEPATH "Python with torch")
if(NOT LATHE_PYTHON)
  message(FATAL_ERROR "LATHE_PYTHON is not set: run tools/setup first, or name a Python that has torch")
endif()
execute_process(
  COMMAND ${LATHE_PYTHON} -c
    "import sysconfig,site;print(sysconfig.get_path('include'));print(sysconfig.get_path('purelib'))"
  OUTPUT_VARIABLE python_paths OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" python_paths "${python_paths}")
list(GET python_paths 0 LATHE_PYTHON_INCLUDE)
list(GET python_paths 1 python_site)
set(LATHE_TORCH_ROOT ${python_site}/torch)

# -- libtorch ------------------------------------------------------------------------------
# Only the CPU part of libtorch: find_package(Torch) would ask for CUDA and take seconds.
add_library(lathe_torch INTERFACE)
# Last of all system folders: torch carries other libraries' headers, fmt's for one, in versions of
# its own.
target_compile_options(lathe_torch INTERFACE -idirafter ${LATHE_TORCH_ROOT}/include)
target_link_directories(lathe_torch INTERFACE ${LATHE_TORCH_ROOT}/lib)
target_link_libraries(lathe_torch INTERFACE torch_cpu c10)
target_link_options(lathe_torch INTERFACE -Wl,-rpath,${LATHE_TORCH_ROOT}/lib)

# -- CUDA toolkit: optional; without it everything but `device: cuda` is there -----------------
find_package(CUDAToolkit QUIET)

if(LATHE_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
