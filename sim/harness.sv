// Feeds an engine from files and writes its results to a file, so that the simulator and not Python
// limits the speed. Work is divided into segments: `start` opens the files in the working folder and
// begins the first segment, `next` begins another one. `done` is high when all words of the segment
// were taken, `expected` result beats are written or the engine has halted, and the engine is idle.
// A source or the sink is idle in a cycle with the probability `rest`/256.

module file_source #(
    parameter int BITS = 32,
    parameter string NAME = ""
) (
    input  logic            clk,
    input  logic            start,
    input  logic            next,
    input  logic [7:0]      rest,
    output logic [BITS-1:0] payload,
    output logic            valid,
    input  logic            ready,
    output logic            empty
);
    int words = 0;   // file of the words
    int counts = 0;  // file with the number of words in each segment, 32 bits each
    int count, got;
    logic [31:0] left = 0;  // words of this segment that were not taken; the first one is in `beat`
    logic [BITS-1:0] beat;
    logic resting = 0;

    assign payload = beat;
    assign empty = left == 0;
    assign valid = !empty && !resting;

    always_ff @(posedge clk) begin
        if (start) begin
            if (words != 0) $fclose(words);
            if (counts != 0) $fclose(counts);
            words = $fopen({NAME, ".bin"}, "rb");
            counts = $fopen({NAME, ".counts"}, "rb");
        end
        if (start || next) begin
            got = $fread(count, counts);
            left <= got == 4 ? count : 0;
            if (got == 4 && count != 0) got = $fread(beat, words);
            resting <= 0;
        end else begin
            if (valid && ready) begin
                left <= left - 1;
                if (left != 1) got = $fread(beat, words);
            end
            // A valid beat stays valid until it is taken.
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
    input  logic        next,
    input  logic [7:0]  rest,
    input  logic [31:0] expected,
    output logic        done,
    output logic        rests,
    output logic [31:0] written,
    output logic        busy,
    output logic        error,
    output logic [31:0] busy_cycles,
    input  logic [7:0]  s_axil_awaddr,
    input  logic [2:0]  s_axil_awprot,
    input  logic        s_axil_awvalid,
    output logic        s_axil_awready,
    input  logic [31:0] s_axil_wdata,
    input  logic [3:0]  s_axil_wstrb,
    input  logic        s_axil_wvalid,
    output logic        s_axil_wready,
    output logic [1:0]  s_axil_bresp,
    output logic        s_axil_bvalid,
    input  logic        s_axil_bready,
    input  logic [7:0]  s_axil_araddr,
    input  logic [2:0]  s_axil_arprot,
    input  logic        s_axil_arvalid,
    output logic        s_axil_arready,
    output logic [31:0] s_axil_rdata,
    output logic [1:0]  s_axil_rresp,
    output logic        s_axil_rvalid,
    input  logic        s_axil_rready
);
    logic [63:0] commands;
    logic [16*ROWS-1:0] activations;
    logic [16*COLS-1:0] weights;
    logic [31:0] parameters;
    logic commands_valid, activations_valid, weights_valid, parameters_valid;
    logic commands_ready, activations_ready, weights_ready, parameters_ready;
    logic commands_empty, activations_empty, weights_empty, parameters_empty;
    logic [LANE_BITS*ROWS-1:0] results;
    logic results_valid, results_ready;

    file_source #(.BITS(64), .NAME("commands")) command_source (
        .payload(commands), .valid(commands_valid), .ready(commands_ready), .empty(commands_empty), .*);
    file_source #(.BITS(16 * ROWS), .NAME("activations")) activation_source (
        .payload(activations), .valid(activations_valid), .ready(activations_ready), .empty(activations_empty), .*);
    file_source #(.BITS(16 * COLS), .NAME("weights")) weight_source (
        .payload(weights), .valid(weights_valid), .ready(weights_ready), .empty(weights_empty), .*);
    file_source #(.BITS(32), .NAME("parameters")) parameter_source (
        .payload(parameters), .valid(parameters_valid), .ready(parameters_ready), .empty(parameters_empty), .*);

    qcnpe_engine engine (
        .aclk(clk),
        .aresetn(!rst),
        .s_axis_commands_tdata(commands),
        .s_axis_commands_tvalid(commands_valid),
        .s_axis_commands_tready(commands_ready),
        .s_axis_activations_tdata(activations),
        .s_axis_activations_tvalid(activations_valid),
        .s_axis_activations_tready(activations_ready),
        .s_axis_weights_tdata(weights),
        .s_axis_weights_tvalid(weights_valid),
        .s_axis_weights_tready(weights_ready),
        .s_axis_parameters_tdata(parameters),
        .s_axis_parameters_tvalid(parameters_valid),
        .s_axis_parameters_tready(parameters_ready),
        .m_axis_results_tdata(results),
        .m_axis_results_tvalid(results_valid),
        .m_axis_results_tready(results_ready),
        .m_axis_results_tlast(),
        .*
    );

    int file = 0;
    logic running = 0;
    logic pausing = 0;
    assign results_ready = running && !done && !pausing;
    assign rests = commands_empty && activations_empty && weights_empty && parameters_empty
        && !busy;

    always_ff @(posedge clk) begin
        pausing <= rest != 0 && 8'($urandom) < rest;
        busy_cycles <= start || next ? 0 : busy_cycles + 32'(busy);
        if (start) begin
            if (file != 0) $fclose(file);
            file = $fopen("results.hex", "w");
            running <= 1;
        end
        if (start || next) begin
            written <= 0;
            done <= 0;
        end else if (running && !done) begin
            if (results_valid && results_ready) begin
                $fwrite(file, "%h\n", results);
                written <= written + 1;
            end
            if ((written == expected || error) && rests) begin
                $fflush(file);
                done <= 1;
            end
        end
    end
endmodule
