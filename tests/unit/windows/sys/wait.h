/* POSIX's sys/wait.h, of which no test that is made for Windows uses anything. */
