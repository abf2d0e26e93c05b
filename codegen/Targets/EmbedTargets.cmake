# Writes QUERN_TARGET(name, text) for each of FILES into OUTPUT.
set(content "// Generated from codegen/Targets/*.json.\n")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} text)
  string(APPEND content "QUERN_TARGET(\"${name}\", R\"json(${text})json\")\n")
endforeach()
file(WRITE ${OUTPUT} "${content}")
