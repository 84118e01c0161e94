// Filters of tcpdump's syntax, by the library that defines it.
#include <stdio.h>
#include <string.h>

#include <pcap/pcap.h>

#include "shim.h"

int gw_filter_compile(const char *text, int inside, struct gw_instruction *code, char *error)
{
	pcap_t *p = pcap_open_dead(inside ? DLT_RAW : DLT_EN10MB, 262144);
	struct bpf_program program;
	int n = -1;

	if (p == NULL) {
		snprintf(error, GW_FILTER_ERROR, "out of memory");
		return -1;
	}
	if (pcap_compile(p, &program, text, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		snprintf(error, GW_FILTER_ERROR, "%s", pcap_geterr(p));
	} else {
		n = (int)program.bf_len;
		for (int i = 0; i < n && i < GW_FILTER_LEN; i++) {
			const struct bpf_insn *from = &program.bf_insns[i];

			code[i] = (struct gw_instruction){.k = from->k, .code = from->code, .jt = from->jt, .jf = from->jf};
		}
		pcap_freecode(&program);
	}
	pcap_close(p);
	return n;
}
