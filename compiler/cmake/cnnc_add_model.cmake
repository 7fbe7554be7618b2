# cnnc_add_model(<target> <model> [NAME <name>] [MODEL <name>] [WEIGHTS <file>...] [SHAPES <shape>...]
#                [CPU <name>] [FEATURES <list>] [FP strict|default] [OPTIONS <option>...])
#
# A static library with the compiled model; targets that link it can include <target>.h, which declares <name>_model and
# <name>_run. The name is that of the target unless NAME says another one, so that one program can hold one model for
# several CPUs, or several models of one name. The model is a text (.ir) or an ONNX file (.onnx), whose inputs of unknown
# size get theirs by SHAPES, as in `SHAPES image=1x3x640x640`; MODEL chooses one of a text with several. Each weight is
# taken from the last file of WEIGHTS that has it. OPTIONS are further ones of the command. It is compiled again when a
# file that it was made of (the model, its weights, the external data of an ONNX file) or the compiler changes.
function(cnnc_add_model target model)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "NAME;MODEL;CPU;FEATURES;FP" "WEIGHTS;SHAPES;OPTIONS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "cnnc_add_model(${target}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  get_filename_component(model_file "${model}" ABSOLUTE)
  get_filename_component(model_name "${model_file}" NAME_WLE)
  if(NOT arg_NAME)
    string(MAKE_C_IDENTIFIER "${target}" arg_NAME)
  endif()
  set(options)
  foreach(option NAME MODEL CPU FEATURES FP)
    if(arg_${option})
      string(TOLOWER ${option} name)
      list(APPEND options "--${name}=${arg_${option}}")
    endif()
  endforeach()
  foreach(file IN LISTS arg_WEIGHTS)
    get_filename_component(file "${file}" ABSOLUTE)
    list(APPEND options "--weights=${file}")
  endforeach()
  foreach(shape IN LISTS arg_SHAPES)
    list(APPEND options "--shape=${shape}")
  endforeach()

  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}.cnnc")
  file(MAKE_DIRECTORY "${folder}")
  set(object "${folder}/${target}.o")
  add_custom_command(
    OUTPUT "${object}" "${folder}/${target}.h"
    COMMAND cnnc::cnnc "${model_file}" -o "${object}" -MD ${options} ${arg_OPTIONS}
    DEPENDS "${model_file}" cnnc::cnnc
    DEPFILE "${folder}/${target}.d"
    COMMENT "Compiling the model ${model_name}"
    VERBATIM)
  set_source_files_properties("${object}" PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  add_library(${target} STATIC "${object}" "${folder}/${target}.h")
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C)
  target_include_directories(${target} INTERFACE "${folder}")
  target_link_libraries(${target} INTERFACE Threads::Threads m)
endfunction()
