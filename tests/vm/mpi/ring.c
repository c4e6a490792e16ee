// An MPI program that says who is who and checks what arrives: each rank sends a block to the next one, then all add up
// their numbers. `ring RANKS` also fails where there are not so many: a rank that finds no PMIx server believes to be
// alone, and would be content.
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORDS = 1 << 16, TAG = 7 };

static unsigned sent[WORDS];
static unsigned received[WORDS];

static unsigned word(int rank, unsigned at) { return ((unsigned)rank + 1U) * 2654435761U + at; }

// Number of words that are not what that rank sends.
static int exchange(int rank, int size) {
    const int next = (rank + 1) % size;
    const int previous = (rank + size - 1) % size;
    for (unsigned at = 0; at < WORDS; ++at) {
        sent[at] = word(rank, at);
    }
    MPI_Sendrecv(sent, WORDS, MPI_UNSIGNED, next, TAG, received, WORDS, MPI_UNSIGNED, previous, TAG, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
    int wrong = 0;
    for (unsigned at = 0; at < WORDS; ++at) {
        wrong += received[at] != word(previous, at);
    }
    return wrong;
}

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    int rank = 0;
    int size = 0;
    int length = 0;
    char host[MPI_MAX_PROCESSOR_NAME];
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(host, &length);
    printf("rank %d of %d on %s\n", rank, size, host);
    fflush(stdout);
    const int wanted = argc > 1 ? atoi(argv[1]) : size;
    if (size != wanted) {
        fprintf(stderr, "ring: %d ranks, not %d\n", size, wanted);
        MPI_Finalize();
        return 1;
    }
    const int wrong = exchange(rank, size);
    int sums[2] = {0, 0};
    const int own[2] = {rank, wrong};
    MPI_Allreduce(own, sums, 2, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (wrong > 0) {
        fprintf(stderr, "ring: rank %d got %d wrong words\n", rank, wrong);
    }
    if (rank == 0) {
        printf("ring of %d: sum %d, %d wrong words\n", size, sums[0], sums[1]);
    }
    MPI_Finalize();
    return sums[0] == size * (size - 1) / 2 && sums[1] == 0 ? 0 : 1;
}
