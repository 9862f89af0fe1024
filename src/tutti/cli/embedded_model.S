// Read-only data aligned for any tensor; TUTTI_EMBEDDED_MODEL is the file's path, from CMake.
    .section .rodata, "a"
    .balign 64
    .globl tutti_embedded_model_begin
    .globl tutti_embedded_model_end
tutti_embedded_model_begin:
#ifdef TUTTI_EMBEDDED_MODEL
    .incbin TUTTI_EMBEDDED_MODEL
#endif
tutti_embedded_model_end:
    .byte 0
#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
