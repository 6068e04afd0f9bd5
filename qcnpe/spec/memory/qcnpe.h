/* Driver of an autonomous QC-NPE. C99; needs nothing but stdint.h and string.h.
 *
 *     qcnpe_init      identifies the engine
 *     qcnpe_open      reads the header of an image's file, which `qcnpe compile` writes
 *     qcnpe_next      the same of the next image of a file of several
 *     qcnpe_load      tells the engine where image, input and output lie
 *     qcnpe_select    uses another image of the file from the next run on
 *     qcnpe_pack      writes the samples of a run to the input's memory
 *     qcnpe_start     starts a run
 *     qcnpe_wait      polls until it has ended; with interrupts: qcnpe_acknowledge, qcnpe_result
 *     qcnpe_unpack    reads the results from the output's memory
 *
 * The program copies the image's data to the address that it gives to qcnpe_load, and keeps caches
 * and memory coherent. Nothing here allocates, and one engine is used by one thread.
 */

#ifndef QCNPE_H
#define QCNPE_H

#include <stdint.h>

@definitions@

typedef enum {
    QCNPE_OK = 0,
    QCNPE_RUNNING,         /* the run has not ended */
    QCNPE_NO_ENGINE,       /* the identity register does not say QCNP */
    QCNPE_OTHER_INTERFACE, /* an engine of another interface version than this driver */
    QCNPE_BAD_IMAGE,       /* no image, a part of one, or one of another version */
    QCNPE_OTHER_ENGINE,    /* the image is for another array, other widths, memories or bus */
    QCNPE_BAD_ADDRESS,     /* no multiple of the bus word, or beyond the external address */
    QCNPE_NOT_LOADED,      /* a start before qcnpe_load */
    QCNPE_FAULTED,         /* the run ended with a fault: see `fault` and `row` of the engine */
    QCNPE_NO_MORE          /* the file holds no further image */
} qcnpe_error;

/* How 32-bit registers are reached; `offset` is in octets from the engine's base address. */
typedef struct {
    uint32_t (*read)(void *context, uint32_t offset);
    void (*write)(void *context, uint32_t offset, uint32_t value);
    void *context;
} qcnpe_bus;

/* The file of an image: header, records of maps, slots, data; not copied. */
typedef struct {
    const uint8_t *file;
    const uint8_t *data; /* what lies at the image's address */
    uint32_t data_bytes;
    uint32_t input_bytes;
    uint32_t output_bytes; /* results, and maps that the engine stores and reads again */
    uint32_t batch;    /* samples in a run */
    uint32_t features; /* values of a sample */
    uint32_t outputs;  /* results of a sample */
    uint32_t banks;
    uint32_t number;   /* in its file, from 0 */
} qcnpe_image;

typedef struct {
    qcnpe_bus bus;
    uint32_t rows, cols;   /* of the array */
    uint32_t banks;        /* of activations */
    uint32_t bus_bytes;    /* octets of a bus word */
    uint32_t address_bits; /* of an external address */
    const qcnpe_image *image;
    uint32_t loaded;   /* images of the file that the engine holds, a bit for each */
    uint32_t last;     /* number of the image that ran last */
    qcnpe_fault fault; /* cause of the last run's end */
    uint32_t row;      /* descriptor that began last */
} qcnpe_engine;

#ifdef __cplusplus
extern "C" {
#endif

/* Identify the engine; its interrupts are masked and cleared. */
qcnpe_error qcnpe_init(qcnpe_engine *engine, qcnpe_bus bus);

/* Read and check a file of an image of `size` octets. */
qcnpe_error qcnpe_open(qcnpe_image *image, const uint8_t *file, uint32_t size);

/* The image after this one in its file, which have the same data; QCNPE_NO_MORE after the last. */
qcnpe_error qcnpe_next(const qcnpe_image *image, qcnpe_image *next);

/* Use an image whose data lies at an address of the engine's bus. The next run boots it. */
qcnpe_error qcnpe_load(qcnpe_engine *engine, const qcnpe_image *image, uint64_t image_address,
                       uint64_t input_address, uint64_t output_address);

/* Use another image of the same file, with the same addresses. Input and output are as large as
 * the largest image wants them. */
qcnpe_error qcnpe_select(qcnpe_engine *engine, const qcnpe_image *image);

/* Write `batch` samples of `features` values, in the order channel, line, column, to `input_bytes`
 * octets of memory. */
qcnpe_error qcnpe_pack(const qcnpe_image *image, uint8_t *memory, const int16_t *samples);

/* Read `batch` times `outputs` results from `output_bytes` octets of memory. */
qcnpe_error qcnpe_unpack(const qcnpe_image *image, const uint8_t *memory, int16_t *results);

/* Start a run; QCNPE_RUNNING if one has not ended. */
qcnpe_error qcnpe_start(qcnpe_engine *engine);

/* How the last run ended: QCNPE_OK, QCNPE_FAULTED, or QCNPE_RUNNING. */
qcnpe_error qcnpe_result(qcnpe_engine *engine);

/* Poll at most `polls` times until the run has ended. */
qcnpe_error qcnpe_wait(qcnpe_engine *engine, uint32_t polls);

/* Raise the interrupt line when a run ends, or never. */
void qcnpe_enable_interrupt(qcnpe_engine *engine, int enabled);

/* In an interrupt handler: clear what has raised the line; zero if it was not this engine. */
uint32_t qcnpe_acknowledge(qcnpe_engine *engine);

/* End the run with QCNPE_FAULT_STOPPED; qcnpe_wait says when. The next run boots. */
void qcnpe_stop(qcnpe_engine *engine);

/* A counter, of which `low` is the register QCNPE_REG_..._LOW. */
uint64_t qcnpe_counter(qcnpe_engine *engine, uint32_t low);

/* What a fault means, in English. */
const char *qcnpe_fault_text(qcnpe_fault fault);

#ifdef __cplusplus
}
#endif

#endif
