// Feeds an engine from files and writes its results to one, so that the simulator and not Python
// sets the speed. One run: `start` opens the files in the working folder, `done` says that
// `expected` result beats are written. A source or the sink rests in a cycle with the chance
// `rest`/256.

module file_source #(
    parameter int BITS = 32,
    parameter string FILE = ""
) (
    input  logic            clk,
    input  logic            start,
    input  logic [7:0]      rest,
    output logic [BITS-1:0] payload,
    output logic            valid,
    input  logic            ready
);
    localparam int BYTES = BITS / 8;
    int file = 0;
    logic [BITS-1:0] beat;
    logic full = 0;  // `beat` holds something that has not been taken
    logic resting = 0;

    assign payload = beat;
    assign valid = full && !resting;

    always_ff @(posedge clk) begin
        if (start) begin
            if (file != 0) $fclose(file);
            file = $fopen(FILE, "rb");
            full <= $fread(beat, file) == BYTES;
            resting <= 0;
        end else begin
            if (valid && ready) full <= $fread(beat, file) == BYTES;
            // A beat that was offered stays offered until it is taken.
            if (!valid || ready) resting <= rest != 0 && 8'($urandom) < rest;
        end
    end
endmodule

module harness #(
    parameter int ROWS = 16,
    parameter int COLS = 16,
    parameter int LANE_BITS = 32
) (
    input  logic        clk,
    input  logic        rst,
    input  logic        start,
    input  logic [7:0]  rest,
    input  logic [31:0] expected,
    input  logic        clear_error,
    output logic        done,
    output logic        busy,
    output logic [31:0] busy_cycles,
    output logic [3:0]  error,
    output logic [4:0]  precision
);
    logic [63:0] commands__payload;
    logic [16*ROWS-1:0] activations__payload;
    logic [16*COLS-1:0] weights__payload;
    logic [31:0] parameters__payload;
    logic commands__valid, activations__valid, weights__valid, parameters__valid;
    logic commands__ready, activations__ready, weights__ready, parameters__ready;
    logic [LANE_BITS*ROWS:0] results__payload;
    logic results__valid, results__ready;
    logic [6:0] events;

    file_source #(.BITS(64), .FILE("commands.bin")) command_source (
        .payload(commands__payload), .valid(commands__valid), .ready(commands__ready), .*);
    file_source #(.BITS(16 * ROWS), .FILE("activations.bin")) activation_source (
        .payload(activations__payload), .valid(activations__valid), .ready(activations__ready), .*);
    file_source #(.BITS(16 * COLS), .FILE("weights.bin")) weight_source (
        .payload(weights__payload), .valid(weights__valid), .ready(weights__ready), .*);
    file_source #(.BITS(32), .FILE("parameters.bin")) parameter_source (
        .payload(parameters__payload), .valid(parameters__valid), .ready(parameters__ready), .*);

    qcnpe_engine engine (.*);

    int file = 0;
    logic [31:0] written = 0;
    logic running = 0;
    logic pausing = 0;
    assign results__ready = running && !pausing;

    always_ff @(posedge clk) begin
        pausing <= rest != 0 && 8'($urandom) < rest;
        busy_cycles <= start ? 0 : busy_cycles + 32'(busy);
        if (start) begin
            file = $fopen("results.hex", "w");
            written <= 0;
            running <= 1;
            done <= 0;
        end else if (running) begin
            if (results__valid && results__ready) begin
                $fwrite(file, "%h\n", results__payload[LANE_BITS*ROWS-1:0]);
                written <= written + 1;
            end
            if (written == expected && !busy) begin
                $fclose(file);
                running <= 0;
                done <= 1;
            end
        end
    end
endmodule
