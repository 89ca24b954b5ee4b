/* Opens what is in a folder, and nothing that is not, whatever links stand there and however they change
 * meanwhile: by openat2(2) where the kernel has it, which follows links as long as they stay beneath the
 * folder (absolute ones do not); elsewhere step by step, and no link is followed. */
#ifndef FORWARDER_FOLDER_BENEATH_H
#define FORWARDER_FOLDER_BENEATH_H

#include <sys/stat.h>

/* A descriptor of a regular file or a folder, to be read, and what it is. -1 and errno: ENOENT also for all
 * that is neither (pipes and devices are not even opened). `path` is relative, not empty, and has no "..". */
int beneath_open(int root, const char *path, struct stat *ret_stat);
/* The way of kernels without openat2. */
int beneath_open_by_steps(int root, const char *path, struct stat *ret_stat);

#endif
