# cmake --install: the command, the libraries, the public headers, and find_package(cnnc).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Who only compiles models needs the command and the headers of models, and no library of ours.
install(TARGETS cnnc EXPORT cnnc_model)
install(TARGETS cnnc_compiler cnnc_codegen cnnc_ir cnnc_runtime cnnc_runtime_embedded EXPORT cnnc)
install(FILES compiler/cnnc.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cnnc)
install(FILES runtime/cnnc_runtime.h runtime/cnnc_model.hpp runtime/cnnc_training.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/cnnc)
install(EXPORT cnnc_model NAMESPACE cnnc:: FILE cnncModelTargets.cmake DESTINATION ${package_folder})
install(EXPORT cnnc NAMESPACE cnnc:: FILE cnncTargets.cmake DESTINATION ${package_folder})
configure_package_config_file(compiler/cmake/cnncConfig.cmake.in ${PROJECT_BINARY_DIR}/cnncConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cnncConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cnncConfig.cmake ${PROJECT_BINARY_DIR}/cnncConfigVersion.cmake
  compiler/cmake/cnnc_add_model.cmake compiler/cmake/find_onnx.cmake DESTINATION ${package_folder})
