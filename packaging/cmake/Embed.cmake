# Text files as C arrays.
#
# ssne_embed(LIBRARY HEADER FILE...): generates HEADER, with `static const char NAME[]`, closed by a zero, for each
# file: its name with what is no letter or digit replaced by _; and puts it on the library's path.
if(CMAKE_SCRIPT_MODE_FILE)
  set(text "/* Generated from files of the source tree. */\n")
  foreach(file ${FILES})
    get_filename_component(name ${file} NAME)
    string(MAKE_C_IDENTIFIER ${name} name)
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(APPEND text "static const char ${name}[] = {${bytes}0};\n")
  endforeach()
  file(WRITE ${HEADER} "${text}")
  return()
endif()

set(SSNE_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(ssne_embed library header)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${header})
  add_custom_command(OUTPUT ${out} DEPENDS ${ARGN} ${SSNE_EMBED_SCRIPT}
                     COMMAND ${CMAKE_COMMAND} "-DFILES=${ARGN}" -DHEADER=${out} -P ${SSNE_EMBED_SCRIPT} VERBATIM)
  target_sources(${library} PRIVATE ${out})
  target_include_directories(${library} PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()
