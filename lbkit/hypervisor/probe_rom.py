"""A firmware that ends by itself: from reset to 64-bit code with paging and SSE, some work, and a word to QEMU.

Small as it is, it asks what a kernel asks of a processor. A KVM without hardware below it runs a boot sector, slowly, and
stops at the first SSE instruction ("KVM internal error": its emulator has none). 10 million turns take TCG 0.1 s.
Intel's manual, volume 3, 10.1.4 (reset), 10.8.5 (long mode); QEMU's `isa-debug-exit` ends with 2 * value + 1.
"""

from __future__ import annotations

PORT = 0x501
DONE = 2 * 0x2A + 1  # QEMU's exit code
NO_SSE3 = 2 * 0x2B + 1
SIZE = 0x10000  # ends at 4 GiB and, once more, at 1 MiB: it is called 0xF0000 below

# fmt: off
_CODE = bytes.fromhex(
    "fa"                        # 00 cli                     16 bits, CS base 0xFFFF0000
    "2e660f0116d000"            # 01 lgdtl %cs:0xd0
    "0f20c0" "0c01" "0f22c0"    # 08 CR0 |= PE
    "66ea18000f000800"          # 10 ljmpl $8, $0xF0018
    "66b81000"                  # 18 mov $0x10, %ax          32 bits
    "8ed8" "8ec0" "8ed0"        # 1c ds, es, ss
    "bc00700000"                # 22 mov $0x7000, %esp
    "c7050010000003200000"      # 27 0x1000: PML4, one entry, to 0x2000
    "c7050020000003300000"      # 31 0x2000: PDPT, to 0x3000
    "c7050030000083000000"      # 3b 0x3000: 2 MiB from 0, writable
    "b800100000" "0f22d8"       # 45 CR3 = 0x1000
    "b820060000" "0f22e0"       # 4d CR4 = PAE, OSFXSR, OSXMMEXCPT
    "b9800000c0" "0f32"         # 55 EFER |= LME
    "0d00010000" "0f30"         # 5c
    "b833000080" "0f22c0"       # 63 CR0 = PG, NE, ET, MP, PE
    "ea72000f001800"            # 6b ljmp $0x18, $0xF0072
    "b801000000" "0fa2"         # 72 cpuid 1                 64 bits
    "f7d1" "f7c101000000"       # 79 SSE3?
    "751f"                      # 81 jnz 0xa2
    "660fefc0"                  # 83 pxor %xmm0, %xmm0
    "b980969800"                # 87 mov $10000000, %ecx
    "48010c2500800000"          # 8c add %rcx, 0x8000
    "51" "5a"                   # 94 push %rcx, pop %rdx
    "660fd4c0"                  # 96 paddq %xmm0, %xmm0
    "ffc9" "75ee"               # 9a dec %ecx, jnz 0x8c
    "b02a" "eb02"               # 9e done
    "b02b"                      # a2 no SSE3
    "66ba0105" "ee"             # a4 out %al, $0x501
    "f4" "ebfd"                 # a9 hlt, for ever
)
_TABLE = bytes.fromhex(
    "0000000000000000"          # b0 GDT
    "ffff0000009bcf00"          # 08 code, 32 bits
    "ffff00000093cf00"          # 10 data
    "ffff0000009baf00"          # 18 code, 64 bits
    "1f00" "b0000f00"           # d0 its size and place
)
_RESET = bytes.fromhex("e90d00")  # fff0 jmp 0
# fmt: on


def rom() -> bytes:
    content = bytearray(SIZE)
    content[: len(_CODE)] = _CODE
    content[0xB0 : 0xB0 + len(_TABLE)] = _TABLE
    content[0xFFF0 : 0xFFF0 + len(_RESET)] = _RESET
    return bytes(content)
