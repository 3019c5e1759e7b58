#include "dashtest.h"

int main(void) {
	dashtest_result *got = dashtest_run(&(dashtest_task){
		.input = "{\"files\":[{\"path\":\"\xc3\xa9\",\"size\":9007199254740993,\"added\":[{\"line\":7,\"text\":\"x\\u3000\\t\\r\\ny\\r\\n \\n\"}]}]}",
		.config = "{\"to\":\"found\"}",
	});
	DASHTEST_EQUAL(got->output,
	               "{\"found\":[{\"path\":\"\xc3\xa9\",\"line\":7,\"column\":2,\"excerpt\":\"x\xe3\x80\x80\\t\",\"size\":9007199254740993},"
	               "{\"path\":\"\xc3\xa9\",\"line\":9,\"column\":1,\"excerpt\":\" \",\"size\":9007199254740993}]}");
	dashtest_free(got);
	got = dashtest_run(&(dashtest_task){.input = "{}", .config = "{}"});
	DASHTEST_CHECK(!got->started);
	dashtest_free(got);
	return dashtest_done();
}
