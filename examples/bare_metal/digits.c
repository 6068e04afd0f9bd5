/* Classifies pictures on an autonomous QC-NPE, as a program without an operating system does.
 *
 * Startup code, or a simulation, calls `classify` with the bus of the engine's registers and the
 * memory that processor and engine share. It lies at address 0 of the engine's bus here. A file of
 * several images, operating points of one network, has them take turns from batch to batch.
 */

#include "qcnpe.h"

#include <string.h>

enum { PAGE = 4096, POLLS = 100000000, MOST_IMAGES = 4 };

static uint32_t pages(uint32_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static uint32_t more(uint32_t one, uint32_t other)
{
    return one > other ? one : other;
}

/* Read all images of a file; sets their number, and octets of input and output that hold any. */
static qcnpe_error open_all(qcnpe_image *images, uint32_t *count, uint32_t *input_bytes,
                            uint32_t *output_bytes, const uint8_t *file, uint32_t file_bytes)
{
    qcnpe_error error = qcnpe_open(images, file, file_bytes);
    *count = *input_bytes = *output_bytes = 0;
    while (error == QCNPE_OK) {
        *input_bytes = more(*input_bytes, images[*count].input_bytes);
        *output_bytes = more(*output_bytes, images[*count].output_bytes);
        *count += 1;
        if (*count == MOST_IMAGES)
            break;
        error = qcnpe_next(&images[*count - 1], &images[*count]);
    }
    return error == QCNPE_NO_MORE ? QCNPE_OK : error;
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
    qcnpe_image images[MOST_IMAGES];
    uint32_t count, input_bytes, output_bytes, input, output, run, sample;
    qcnpe_error error = qcnpe_init(&engine, *bus);
    if (error == QCNPE_OK)
        error = open_all(images, &count, &input_bytes, &output_bytes, file, file_bytes);
    if (error != QCNPE_OK)
        return error;
    input = pages(images[0].data_bytes);
    output = input + pages(input_bytes);
    memcpy(memory, images[0].data, images[0].data_bytes);
    error = qcnpe_load(&engine, &images[0], 0, input, output);
    for (run = 0; error == QCNPE_OK && run < runs; run++) {
        const qcnpe_image *image = &images[run % count];
        error = qcnpe_select(&engine, image);
        if (error == QCNPE_OK)
            error = qcnpe_pack(image, memory + input, samples);
        if (error == QCNPE_OK)
            error = qcnpe_start(&engine);
        if (error == QCNPE_OK)
            error = qcnpe_wait(&engine, POLLS);
        if (error == QCNPE_OK)
            error = qcnpe_unpack(image, memory + output, logits);
        for (sample = 0; error == QCNPE_OK && sample < image->batch; sample++) {
            *classes++ = largest(logits, image->outputs);
            logits += image->outputs;
        }
        samples += (size_t)image->batch * image->features;
    }
    return error;
}
