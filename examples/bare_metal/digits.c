/* Classifies pictures on an autonomous QC-NPE, as a program without an operating system does.
 *
 * Startup code, or a simulation, calls `classify` with the bus of the engine's registers and the
 * memory that processor and engine share. It lies at address 0 of the engine's bus here.
 */

#include "qcnpe.h"

#include <string.h>

enum { PAGE = 4096, POLLS = 100000000 };

static uint32_t pages(uint32_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static uint32_t largest(const int16_t *logits, uint32_t count)
{
    uint32_t best = 0, each;
    for (each = 1; each < count; each++)
        if (logits[each] > logits[best])
            best = each;
    return best;
}

/* Classify `runs` batches of samples; all logits and classes are stored, in the order of the
 * samples. Returns a qcnpe_error. */
int classify(const qcnpe_bus *bus, uint8_t *memory, const uint8_t *file, uint32_t file_bytes,
             const int16_t *samples, uint32_t runs, int16_t *logits, uint32_t *classes);

int classify(const qcnpe_bus *bus, uint8_t *memory, const uint8_t *file, uint32_t file_bytes,
             const int16_t *samples, uint32_t runs, int16_t *logits, uint32_t *classes)
{
    qcnpe_engine engine;
    qcnpe_image image;
    uint32_t input, output, sample;
    qcnpe_error error = qcnpe_init(&engine, *bus);
    if (error == QCNPE_OK)
        error = qcnpe_open(&image, file, file_bytes);
    if (error != QCNPE_OK)
        return error;
    input = pages(image.data_bytes);
    output = input + pages(image.input_bytes);
    memcpy(memory, image.data, image.data_bytes);
    error = qcnpe_load(&engine, &image, 0, input, output);
    while (error == QCNPE_OK && runs-- > 0) {
        error = qcnpe_pack(&image, memory + input, samples);
        if (error == QCNPE_OK)
            error = qcnpe_start(&engine);
        if (error == QCNPE_OK)
            error = qcnpe_wait(&engine, POLLS);
        if (error == QCNPE_OK)
            error = qcnpe_unpack(&image, memory + output, logits);
        for (sample = 0; error == QCNPE_OK && sample < image.batch; sample++) {
            *classes++ = largest(logits, image.outputs);
            logits += image.outputs;
        }
        samples += (size_t)image.batch * image.features;
    }
    return error;
}
