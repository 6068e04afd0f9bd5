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
    output logic        done,
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
    logic [LANE_BITS*ROWS-1:0] results;
    logic results_valid, results_ready;

    file_source #(.BITS(64), .FILE("commands.bin")) command_source (
        .payload(commands), .valid(commands_valid), .ready(commands_ready), .*);
    file_source #(.BITS(16 * ROWS), .FILE("activations.bin")) activation_source (
        .payload(activations), .valid(activations_valid), .ready(activations_ready), .*);
    file_source #(.BITS(16 * COLS), .FILE("weights.bin")) weight_source (
        .payload(weights), .valid(weights_valid), .ready(weights_ready), .*);
    file_source #(.BITS(32), .FILE("parameters.bin")) parameter_source (
        .payload(parameters), .valid(parameters_valid), .ready(parameters_ready), .*);

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
    logic [31:0] written = 0;
    logic running = 0;
    logic pausing = 0;
    assign results_ready = running && !pausing;

    always_ff @(posedge clk) begin
        pausing <= rest != 0 && 8'($urandom) < rest;
        busy_cycles <= start ? 0 : busy_cycles + 32'(busy);
        if (start) begin
            file = $fopen("results.hex", "w");
            written <= 0;
            running <= 1;
            done <= 0;
        end else if (running) begin
            if (results_valid && results_ready) begin
                $fwrite(file, "%h\n", results);
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
