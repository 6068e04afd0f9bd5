/* Driver of an autonomous QC-NPE, see qcnpe.h. Written by `qcnpe generate`; do not edit. */

#include "qcnpe.h"

#include <string.h>

#define FIELD(value, name) ((value) >> QCNPE_##name##_SHIFT & QCNPE_##name##_MASK)

/* Both causes of the interrupt register. */
#define CAUSES                                               \
    (QCNPE_INTERRUPT_DONE_MASK << QCNPE_INTERRUPT_DONE_SHIFT | \
     QCNPE_INTERRUPT_FAULT_MASK << QCNPE_INTERRUPT_FAULT_SHIFT)

enum { WORD_BYTES = 4, OPERAND_BITS = 16, MAX_MAPS = 16, MAX_SHIFT = 15, MAX_IMAGES = 32 };

/* A record of the file, and the slots of its channels (NULL: in order). */
typedef struct {
    uint32_t word[QCNPE_MAP_WORDS];
    const uint8_t *slots;
    uint32_t banks;
    uint32_t bytes; /* of the memory that it lies in */
} map;

static uint32_t get(qcnpe_engine *engine, uint32_t offset)
{
    return engine->bus.read(engine->bus.context, offset);
}

static void put(qcnpe_engine *engine, uint32_t offset, uint32_t value)
{
    engine->bus.write(engine->bus.context, offset, value);
}

/* Files hold the lowest octet first, whatever the processor does. */
static uint32_t word_at(const uint8_t *octets, uint32_t number)
{
    const uint8_t *at = octets + (size_t)number * WORD_BYTES;
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t header(const qcnpe_image *image, uint32_t number)
{
    return word_at(image->file, number);
}

/* Record `number` of the file: inputs first, then the output. */
static map map_of(const qcnpe_image *image, uint32_t number)
{
    map found;
    uint32_t inputs = header(image, QCNPE_HEADER_INPUTS);
    uint32_t first = QCNPE_HEADER_WORDS + number * QCNPE_MAP_WORDS;
    uint32_t each;
    for (each = 0; each < QCNPE_MAP_WORDS; each++)
        found.word[each] = word_at(image->file, first + each);
    found.slots = NULL;
    found.bytes = image->input_bytes;
    if (number == inputs) {
        found.slots = image->file + (size_t)(first + QCNPE_MAP_WORDS) * WORD_BYTES;
        found.bytes = image->output_bytes;
    }
    found.banks = image->banks;
    return found;
}

/* Values of a sample; zero if the record cannot be true. */
static uint32_t values_of(const map *record)
{
    const uint32_t *word = record->word;
    uint64_t pixels = (uint64_t)word[QCNPE_MAP_HEIGHT] * word[QCNPE_MAP_WIDTH_PIXELS];
    uint32_t width = word[QCNPE_MAP_WIDTH], pairs = word[QCNPE_MAP_PAIRS];
    if (width == 0 || width > OPERAND_BITS || pairs == 0 || pairs > OPERAND_BITS / width)
        return 0;
    if (word[QCNPE_MAP_FACTOR] == 0 || word[QCNPE_MAP_SHIFT] > MAX_SHIFT)
        return 0;
    if (pixels == 0 || pixels > UINT32_MAX || word[QCNPE_MAP_CHANNELS] > UINT32_MAX / pixels)
        return 0;
    return (uint32_t)pixels * word[QCNPE_MAP_CHANNELS];
}

/* Where a value lies: false if that is outside of the memory. */
static int place(const map *record, uint32_t sample, uint32_t value, size_t *octet, uint32_t *low)
{
    const uint32_t *word = record->word;
    uint32_t pixels = word[QCNPE_MAP_WIDTH_PIXELS], factor = word[QCNPE_MAP_FACTOR];
    uint32_t width = word[QCNPE_MAP_WIDTH], pairs = word[QCNPE_MAP_PAIRS];
    uint32_t x = value % pixels;
    uint32_t y = value / pixels % word[QCNPE_MAP_HEIGHT];
    uint32_t channel = value / pixels / word[QCNPE_MAP_HEIGHT];
    uint32_t slot = record->slots ? word_at(record->slots, channel) : channel * factor + x % factor;
    uint32_t position = word[QCNPE_MAP_ORIGIN] + sample * word[QCNPE_MAP_SAMPLE_STEP] +
                        y * word[QCNPE_MAP_PITCH] + x / factor;
    uint64_t row = (uint64_t)(position / record->banks) * word[QCNPE_MAP_WORDS_OF_POSITION] +
                   slot / pairs;
    uint64_t limit = record->bytes;
    if (row > limit)
        return 0; /* also keeps the product below from overflowing */
    row = word[QCNPE_MAP_OFFSET] + row * word[QCNPE_MAP_ROW_BYTES] + position % record->banks * 2;
    *octet = (size_t)row;
    *low = pairs > 1 ? slot % pairs * width : OPERAND_BITS - width;
    return row + 2 <= limit;
}

/* Round to `shift` fewer bits and saturate to `width`. */
static int32_t narrowed(const map *record, int32_t value)
{
    uint32_t width = record->word[QCNPE_MAP_WIDTH], shift = record->word[QCNPE_MAP_SHIFT];
    int is_unsigned = record->word[QCNPE_MAP_IS_UNSIGNED] != 0;
    int32_t high = (int32_t)(1u << (is_unsigned ? width : width - 1)) - 1;
    int32_t low = is_unsigned ? 0 : -high - 1;
    if (width == OPERAND_BITS)
        return value;
    value += (int32_t)(1u << shift >> 1);
    value = value < 0 ? ~(~value >> shift) : value >> shift; /* towards minus infinity */
    return value < low ? low : value > high ? high : value;
}

qcnpe_error qcnpe_init(qcnpe_engine *engine, qcnpe_bus bus)
{
    uint32_t value;
    memset(engine, 0, sizeof *engine);
    engine->bus = bus;
    if (get(engine, QCNPE_REG_IDENTITY) != QCNPE_IDENTITY)
        return QCNPE_NO_ENGINE;
    if (get(engine, QCNPE_REG_VERSION) != QCNPE_INTERFACE_VERSION)
        return QCNPE_OTHER_INTERFACE;
    value = get(engine, QCNPE_REG_SHAPE);
    engine->rows = FIELD(value, SHAPE_ROWS);
    engine->cols = FIELD(value, SHAPE_COLS);
    value = get(engine, QCNPE_REG_MEMORY_FEATURES);
    engine->banks = (uint32_t)1 << FIELD(value, MEMORY_FEATURES_BANKS);
    engine->bus_bytes = FIELD(value, MEMORY_FEATURES_BUS_BYTES);
    engine->address_bits = FIELD(value, MEMORY_FEATURES_ADDRESS_BITS);
    if (engine->bus_bytes == 0)
        return QCNPE_NO_ENGINE; /* a stream engine has no memories */
    qcnpe_enable_interrupt(engine, 0);
    put(engine, QCNPE_REG_INTERRUPT, CAUSES);
    return QCNPE_OK;
}

qcnpe_error qcnpe_open(qcnpe_image *image, const uint8_t *file, uint32_t size)
{
    uint32_t inputs, slots, start, each;
    uint64_t words;
    map record;
    memset(image, 0, sizeof *image);
    if (size < QCNPE_HEADER_WORDS * WORD_BYTES)
        return QCNPE_BAD_IMAGE;
    image->file = file;
    if (header(image, QCNPE_HEADER_MAGIC) != QCNPE_IMAGE_MAGIC ||
        header(image, QCNPE_HEADER_VERSION) != QCNPE_IMAGE_VERSION)
        return QCNPE_BAD_IMAGE;
    inputs = header(image, QCNPE_HEADER_INPUTS);
    slots = header(image, QCNPE_HEADER_SLOTS);
    start = header(image, QCNPE_HEADER_DATA_OFFSET);
    image->data_bytes = header(image, QCNPE_HEADER_DATA_BYTES);
    image->input_bytes = header(image, QCNPE_HEADER_INPUT_BYTES);
    image->output_bytes = header(image, QCNPE_HEADER_OUTPUT_BYTES);
    image->batch = header(image, QCNPE_HEADER_BATCH);
    image->banks = header(image, QCNPE_HEADER_BANKS);
    if (inputs == 0 || inputs > MAX_MAPS || image->banks == 0 || image->batch == 0)
        return QCNPE_BAD_IMAGE;
    words = QCNPE_HEADER_WORDS + (uint64_t)(inputs + 1) * QCNPE_MAP_WORDS + slots;
    if (words * WORD_BYTES > start || start > size || image->data_bytes != size - start)
        return QCNPE_BAD_IMAGE;
    image->data = file + start;
    for (each = 0; each <= inputs; each++) {
        uint32_t values;
        record = map_of(image, each);
        values = values_of(&record);
        if (values == 0 || (each > 0 && each < inputs && values != image->features))
            return QCNPE_BAD_IMAGE;
        if (each < inputs)
            image->features = values;
        else
            image->outputs = values;
    }
    return record.word[QCNPE_MAP_CHANNELS] == slots ? QCNPE_OK : QCNPE_BAD_IMAGE;
}

/* Whether widths, accumulators and tables are the image's; the kind of NCUs changes no result. */
static int computes(qcnpe_engine *engine, const qcnpe_image *image)
{
    uint32_t kind = QCNPE_FEATURES_NCU_MASK << QCNPE_FEATURES_NCU_SHIFT;
    return (get(engine, QCNPE_REG_FEATURES) & ~kind) == header(image, QCNPE_HEADER_FEATURES);
}

/* Whether all memories are as deep as the image's, activations with addresses of as many bits. */
static int holds(qcnpe_engine *engine, const qcnpe_image *image)
{
    static const uint32_t depths[][2] = QCNPE_MEMORY_DEPTHS;
    uint32_t each, last, needed;
    for (each = 0; each < sizeof depths / sizeof depths[0]; each++) {
        last = get(engine, depths[each][0]);
        needed = header(image, depths[each][1]) - 1;
        if (last < needed)
            return 0;
        if (depths[each][0] == QCNPE_REG_ACTIVATIONS_DEPTH && (last ^ needed) > (last & needed))
            return 0; /* their highest bits differ */
    }
    return 1;
}

qcnpe_error qcnpe_next(const qcnpe_image *image, qcnpe_image *next)
{
    uint32_t offset = header(image, QCNPE_HEADER_NEXT);
    uint32_t start = header(image, QCNPE_HEADER_DATA_OFFSET);
    qcnpe_error error;
    if (offset == 0)
        return QCNPE_NO_MORE;
    if (offset >= start || image->number + 1 >= MAX_IMAGES)
        return QCNPE_BAD_IMAGE;
    error = qcnpe_open(next, image->file + offset, start - offset + image->data_bytes);
    next->number = image->number + 1;
    return error == QCNPE_OK && next->data != image->data ? QCNPE_BAD_IMAGE : error;
}

static int is_address(const qcnpe_engine *engine, uint64_t address, uint32_t bytes)
{
    uint64_t last = UINT64_MAX;
    if (engine->address_bits < 64)
        last = ((uint64_t)1 << engine->address_bits) - 1;
    if (address % engine->bus_bytes != 0 || address > last)
        return 0;
    return last - address >= (uint64_t)bytes - 1;
}

static void put_base(qcnpe_engine *engine, uint32_t low, uint32_t high, uint64_t address)
{
    put(engine, low, (uint32_t)address);
    put(engine, high, (uint32_t)(address >> 32));
}

qcnpe_error qcnpe_load(qcnpe_engine *engine, const qcnpe_image *image, uint64_t image_address,
                       uint64_t input_address, uint64_t output_address)
{
    if (header(image, QCNPE_HEADER_ROWS) != engine->rows ||
        header(image, QCNPE_HEADER_COLS) != engine->cols ||
        header(image, QCNPE_HEADER_BUS_BYTES) != engine->bus_bytes || image->banks != engine->banks ||
        !computes(engine, image) || !holds(engine, image))
        return QCNPE_OTHER_ENGINE;
    if (!is_address(engine, image_address, image->data_bytes) ||
        !is_address(engine, input_address, image->input_bytes) ||
        !is_address(engine, output_address, image->output_bytes))
        return QCNPE_BAD_ADDRESS;
    if (qcnpe_result(engine) == QCNPE_RUNNING)
        return QCNPE_RUNNING;
    put_base(engine, QCNPE_REG_IMAGE_LOW, QCNPE_REG_IMAGE_HIGH, image_address);
    put_base(engine, QCNPE_REG_INPUT_LOW, QCNPE_REG_INPUT_HIGH, input_address);
    put_base(engine, QCNPE_REG_OUTPUT_LOW, QCNPE_REG_OUTPUT_HIGH, output_address);
    engine->image = image;
    engine->loaded = 0;
    return QCNPE_OK;
}

static uint64_t base_of(qcnpe_engine *engine, uint32_t low, uint32_t high)
{
    return get(engine, low) | (uint64_t)get(engine, high) << 32;
}

qcnpe_error qcnpe_select(qcnpe_engine *engine, const qcnpe_image *image)
{
    uint64_t input = base_of(engine, QCNPE_REG_INPUT_LOW, QCNPE_REG_INPUT_HIGH);
    uint64_t output = base_of(engine, QCNPE_REG_OUTPUT_LOW, QCNPE_REG_OUTPUT_HIGH);
    if (engine->image == NULL)
        return QCNPE_NOT_LOADED;
    if (image->data != engine->image->data)
        return QCNPE_BAD_IMAGE; /* of another file */
    if (!is_address(engine, input, image->input_bytes) ||
        !is_address(engine, output, image->output_bytes))
        return QCNPE_BAD_ADDRESS;
    if (qcnpe_result(engine) == QCNPE_RUNNING)
        return QCNPE_RUNNING;
    engine->image = image;
    return QCNPE_OK;
}

qcnpe_error qcnpe_pack(const qcnpe_image *image, uint8_t *memory, const int16_t *samples)
{
    uint32_t inputs = header(image, QCNPE_HEADER_INPUTS), number, sample, value, low;
    size_t octet;
    memset(memory, 0, image->input_bytes);
    for (number = 0; number < inputs; number++) {
        map record = map_of(image, number);
        uint32_t mask = ((uint32_t)1 << record.word[QCNPE_MAP_WIDTH]) - 1;
        const int16_t *next = samples;
        for (sample = 0; sample < image->batch; sample++)
            for (value = 0; value < image->features; value++) {
                uint32_t bits = (uint32_t)narrowed(&record, *next++) & mask;
                if (!place(&record, sample, value, &octet, &low))
                    return QCNPE_BAD_IMAGE;
                memory[octet] |= (uint8_t)(bits << low);
                memory[octet + 1] |= (uint8_t)(bits << low >> 8);
            }
    }
    return QCNPE_OK;
}

qcnpe_error qcnpe_unpack(const qcnpe_image *image, const uint8_t *memory, int16_t *results)
{
    map record = map_of(image, header(image, QCNPE_HEADER_INPUTS));
    uint32_t width = record.word[QCNPE_MAP_WIDTH], sign = (uint32_t)1 << (width - 1);
    uint32_t sample, value, low;
    size_t octet;
    for (sample = 0; sample < image->batch; sample++)
        for (value = 0; value < image->outputs; value++) {
            uint32_t bits;
            if (!place(&record, sample, value, &octet, &low))
                return QCNPE_BAD_IMAGE;
            bits = ((uint32_t)memory[octet] | (uint32_t)memory[octet + 1] << 8) >> low;
            bits &= 2 * sign - 1;
            *results++ = (int16_t)((int32_t)(bits ^ sign) - (int32_t)sign);
        }
    return QCNPE_OK;
}

qcnpe_error qcnpe_start(qcnpe_engine *engine)
{
    const qcnpe_image *image = engine->image;
    uint32_t boot = 0, row = QCNPE_HEADER_START, own;
    if (image == NULL)
        return QCNPE_NOT_LOADED;
    if (qcnpe_result(engine) == QCNPE_RUNNING)
        return QCNPE_RUNNING;
    own = (uint32_t)1 << image->number;
    if (engine->loaded & own) {
        boot = header(image, QCNPE_HEADER_AGAIN_BOOT_ROWS);
        row = engine->last == image->number ? QCNPE_HEADER_AGAIN : QCNPE_HEADER_RESUME;
    } else if (engine->loaded == 0) {
        boot = header(image, QCNPE_HEADER_BOOT_ROWS); /* the descriptors of all images */
    }
    put(engine, QCNPE_REG_INTERRUPT, CAUSES);
    put(engine, QCNPE_REG_BOOT, boot);
    put(engine, QCNPE_REG_START, header(image, row));
    engine->loaded |= own; /* until a fault is seen */
    engine->last = image->number;
    return QCNPE_OK;
}

qcnpe_error qcnpe_result(qcnpe_engine *engine)
{
    uint32_t status = get(engine, QCNPE_REG_RUN_STATUS);
    engine->row = FIELD(status, RUN_STATUS_ROW);
    if (FIELD(status, RUN_STATUS_RUNNING))
        return QCNPE_RUNNING;
    engine->fault = (qcnpe_fault)FIELD(get(engine, QCNPE_REG_FAULT), FAULT_CAUSE);
    if (engine->fault == QCNPE_FAULT_NONE)
        return QCNPE_OK;
    engine->loaded = 0; /* the memories on the chip are undefined */
    return QCNPE_FAULTED;
}

qcnpe_error qcnpe_wait(qcnpe_engine *engine, uint32_t polls)
{
    qcnpe_error found = QCNPE_RUNNING;
    while (polls-- > 0 && found == QCNPE_RUNNING)
        found = qcnpe_result(engine);
    return found;
}

void qcnpe_enable_interrupt(qcnpe_engine *engine, int enabled)
{
    put(engine, QCNPE_REG_INTERRUPT_MASK, enabled ? CAUSES : 0);
}

uint32_t qcnpe_acknowledge(qcnpe_engine *engine)
{
    uint32_t causes = get(engine, QCNPE_REG_INTERRUPT) & CAUSES;
    put(engine, QCNPE_REG_INTERRUPT, causes);
    return causes;
}

void qcnpe_stop(qcnpe_engine *engine)
{
    engine->loaded = 0;
    put(engine, QCNPE_REG_STOP, QCNPE_STOP_STOP_MASK << QCNPE_STOP_STOP_SHIFT);
}

uint64_t qcnpe_counter(qcnpe_engine *engine, uint32_t low)
{
    uint32_t half = get(engine, low); /* latches the other half */
    return (uint64_t)get(engine, low + WORD_BYTES) << 32 | half;
}

const char *qcnpe_fault_text(qcnpe_fault fault)
{
    static const char *const texts[] = QCNPE_FAULT_TEXTS;
    return (uint32_t)fault < sizeof texts / sizeof *texts ? texts[fault] : "unknown fault";
}
