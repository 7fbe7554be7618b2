# The target onnx_proto: the messages of ONNX files. Its shared library is the only one that Debian has.
find_package(Protobuf QUIET MODULE)
if(NOT Protobuf_FOUND)
  message(FATAL_ERROR "The headers of protobuf are missing: install libprotobuf-dev")
endif()
find_package(ONNX QUIET CONFIG)
if(NOT ONNX_FOUND)
  message(FATAL_ERROR "The messages of ONNX are missing: install libonnx-dev")
endif()
