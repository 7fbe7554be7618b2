# cnnc_add_model(<target> <model> [WEIGHTS <file>] [SHAPES <shape>...] [CPU <name>] [FEATURES <list>] [MODEL <name>])
#
# A static library with the compiled model; targets that link it can include <target>.h. The model is a text (.ir) or
# an ONNX file (.onnx), whose inputs of unknown size get theirs by SHAPES, as in `SHAPES image=1x3x640x640`. It is
# compiled again when the model, its weights (of a text, by default model.safetensors beside it) or the compiler change.
function(cnnc_add_model target model)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "WEIGHTS;CPU;FEATURES;MODEL" "SHAPES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "cnnc_add_model(${target}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  get_filename_component(model_file "${model}" ABSOLUTE)
  get_filename_component(model_folder "${model_file}" DIRECTORY)
  get_filename_component(model_name "${model_file}" NAME_WLE)
  set(weights_file "${model_folder}/${model_name}.safetensors")
  set(options)
  if(arg_WEIGHTS)
    get_filename_component(weights_file "${arg_WEIGHTS}" ABSOLUTE)
    list(APPEND options "--weights=${weights_file}")
  endif()
  foreach(option CPU FEATURES MODEL)
    if(arg_${option})
      string(TOLOWER ${option} name)
      list(APPEND options "--${name}=${arg_${option}}")
    endif()
  endforeach()
  foreach(shape IN LISTS arg_SHAPES)
    list(APPEND options "--shape=${shape}")
  endforeach()
  if(NOT arg_WEIGHTS AND (model_file MATCHES "\\.onnx$" OR NOT EXISTS "${weights_file}"))
    set(weights_file)
  endif()

  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}.cnnc")
  file(MAKE_DIRECTORY "${folder}")
  set(object "${folder}/${target}.o")
  add_custom_command(
    OUTPUT "${object}" "${folder}/${target}.h"
    COMMAND cnnc::cnnc "${model_file}" -o "${object}" ${options}
    DEPENDS "${model_file}" ${weights_file} cnnc::cnnc
    COMMENT "Compiling the model ${model_name}"
    VERBATIM)
  set_source_files_properties("${object}" PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  add_library(${target} STATIC "${object}" "${folder}/${target}.h")
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C)
  target_include_directories(${target} INTERFACE "${folder}")
  target_link_libraries(${target} INTERFACE Threads::Threads m)
endfunction()
