# Writes an assembler file that holds the site files byte for byte:
# site_worker[] .. site_worker_end[], site_enter[] .. site_enter_end[] (see app/site_files.h).
set(text ".section .rodata\n")
foreach(pair "site_worker;fringe-sw.js" "site_enter;enter.html")
  list(GET pair 0 symbol)
  list(GET pair 1 file)
  string(APPEND text ".global ${symbol}\n${symbol}:\n.incbin \"${DIR}/${file}\"\n"
                     ".global ${symbol}_end\n${symbol}_end:\n.byte 0\n")
endforeach()
string(APPEND text ".section .note.GNU-stack,\"\",@progbits\n")
file(WRITE ${OUT} "${text}")
