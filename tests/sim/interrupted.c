/* Ends runs in every way that a program can, by interrupts, and then lets one end well. */

#include "qcnpe.h"

#include <string.h>

enum { PAGE = 4096, POLLS = 10000, WRONG = 100 };

static uint32_t pages(uint32_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

/* Wait for an interrupt, as a handler would; what has raised it. */
static uint32_t interrupt(qcnpe_engine *engine)
{
    uint32_t polls = POLLS, causes = 0;
    while (causes == 0 && polls-- > 0)
        causes = qcnpe_acknowledge(engine);
    return causes;
}

int classify(const qcnpe_bus *bus, uint8_t *memory, const uint8_t *file, uint32_t file_bytes,
             const int16_t *samples, uint32_t runs, int16_t *logits, uint32_t *classes);

int classify(const qcnpe_bus *bus, uint8_t *memory, const uint8_t *file, uint32_t file_bytes,
             const int16_t *samples, uint32_t runs, int16_t *logits, uint32_t *classes)
{
    qcnpe_engine engine;
    qcnpe_image image;
    uint32_t input, output;
    (void)runs;
    (void)classes;
    if (qcnpe_init(&engine, *bus) || qcnpe_open(&image, file, file_bytes))
        return WRONG;
    input = pages(image.data_bytes);
    output = input + pages(image.input_bytes);
    qcnpe_enable_interrupt(&engine, 1);
    memset(memory, 0xFF, image.data_bytes); /* no descriptors */
    if (qcnpe_load(&engine, &image, 0, input, output) || qcnpe_start(&engine))
        return WRONG + 1;
    if (interrupt(&engine) != 2 || qcnpe_result(&engine) != QCNPE_FAULTED)
        return WRONG + 2;
    if (engine.fault != QCNPE_FAULT_OPERATION || engine.row != 0)
        return WRONG + 3;
    memcpy(memory, image.data, image.data_bytes);
    if (qcnpe_pack(&image, memory + input, samples) || qcnpe_start(&engine))
        return WRONG + 4;
    if (qcnpe_start(&engine) != QCNPE_RUNNING) /* right after a start, too */
        return WRONG + 5;
    qcnpe_stop(&engine);
    if (interrupt(&engine) != 2 || qcnpe_result(&engine) != QCNPE_FAULTED)
        return WRONG + 6;
    if (engine.fault != QCNPE_FAULT_STOPPED)
        return WRONG + 7;
    if (qcnpe_start(&engine) || interrupt(&engine) != 1 || qcnpe_result(&engine) != QCNPE_OK)
        return WRONG + 8;
    if (qcnpe_counter(&engine, QCNPE_REG_WORDS_READ_LOW) < image.input_bytes / engine.bus_bytes)
        return WRONG + 9;
    return (int)qcnpe_unpack(&image, memory + output, logits);
}
